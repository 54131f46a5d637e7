import { useQuery } from '@tanstack/react-query'
import { CopyCommand, Mark, Pending, Time } from '../common/parts.tsx'
import { type Self, selfQuery } from '../doors/mine.ts'
import { useMessages } from '../language/index.tsx'
import { Ends, Section, useMe } from './parts.tsx'
import { ProfileForm } from './profile-form.tsx'

/** Who one is here, how one stands, and until when. */
export function ProfilePage() {
  const asked = useQuery(selfQuery(useMe().account))
  if (!asked.data) return <Pending of={asked} />
  return (
    <div className="halves">
      <Facts self={asked.data} />
      <ProfileForm self={asked.data} />
    </div>
  )
}

function Facts({ self }: { self: Self }) {
  const t = useMessages()
  const { standing, name, id, createdAt, endTime, manages } = self
  const words = t.joining.standing
  const code = standing.code as keyof typeof words | undefined
  return (
    <Section title={t.account.profile.standing} act={<CopyCommand command="kumi people show" />}>
      <dl className="facts">
        <dt>{t.account.profile.name}</dt>
        <dd>{name}</dd>
        <dt>{t.account.profile.standing}</dt>
        <dd>
          {standing.state === 'good' ? (
            <Mark tone="ok">{t.account.profile.good}</Mark>
          ) : (
            <>
              <Mark tone="down">{code ? words[code].title : standing.state}</Mark> {standing.message}
            </>
          )}
        </dd>
        <dt>{t.account.profile.member}</dt>
        <dd>
          <Time at={createdAt} />
        </dd>
        <dt>{t.account.profile.until}</dt>
        <dd>
          <Ends at={endTime} soonDays={30} />
        </dd>
        {manages.length > 0 && (
          <>
            <dt>{t.account.profile.manages}</dt>
            <dd>{manages.join(', ')}</dd>
          </>
        )}
        <dt>{t.account.profile.subject}</dt>
        <dd className="mono">{id}</dd>
      </dl>
    </Section>
  )
}
