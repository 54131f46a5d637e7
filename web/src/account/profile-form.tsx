import { Button, Radio, TextInput } from '@mantine/core'
import { type FormEvent, useState } from 'react'
import { Mark } from '../common/parts.tsx'
import { changeProfile, type Profile, type Self } from '../doors/mine.ts'
import { useLanguage } from '../language/index.tsx'
import { Section, useChange } from './parts.tsx'

/** People write their names in the order of their language. */
const NAMES = { en: ['givenName', 'familyName'], ja: ['familyName', 'givenName'] } as const
const MOST_EMAILS = 5

/** What people change about themselves. */
export function ProfileForm({ self }: { self: Self }) {
  const { t: messages, language } = useLanguage()
  const t = messages.account.profile
  const { givenName, familyName, institute } = self
  const [profile, setProfile] = useState<Profile>({
    ...{ givenName, familyName, institute },
    emails: self.emails.map(({ address, primary }) => ({ address, primary })),
  })
  const save = useChange(changeProfile)
  const change = (part: Partial<Profile>) => {
    save.reset()
    setProfile({ ...profile, ...part })
  }
  const { emails } = profile
  const verified = (address: string) => self.emails.some((one) => one.address === address && one.verifiedAt)
  const known = (address: string) => self.emails.some((one) => one.address === address)
  const setAddress = (at: number, address: string) =>
    change({ emails: emails.map((email, i) => (i === at ? { ...email, address } : email)) })
  const setPrimary = (at: number) =>
    change({ emails: emails.map((email, i) => ({ ...email, primary: i === at })) })
  const drop = (at: number) => {
    const rest = emails.filter((_, i) => i !== at)
    if (rest[0] && !rest.some(({ primary }) => primary)) rest[0] = { ...rest[0], primary: true }
    change({ emails: rest })
  }
  const submit = (event: FormEvent) => {
    event.preventDefault()
    save.mutate(profile)
  }
  return (
    <Section title={t.you} hint={t.hint}>
      <form onSubmit={submit} className="fields">
        {[...NAMES[language], 'institute' as const].map((name) => (
          <TextInput
            key={name}
            label={{ givenName: t.given, familyName: t.family, institute: t.institute }[name]}
            autoComplete={
              { givenName: 'given-name', familyName: 'family-name', institute: 'organization' }[name]
            }
            value={profile[name]}
            maxLength={200}
            onChange={(event) => change({ [name]: event.currentTarget.value })}
          />
        ))}
        <fieldset className="emails">
          <legend>{t.emails}</legend>
          {emails.map(({ address, primary }, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: an address is what is being typed
            <div className="email" key={i}>
              <TextInput
                aria-label={t.email(i + 1)}
                type="email"
                autoComplete="email"
                value={address}
                required
                onChange={(event) => setAddress(i, event.currentTarget.value)}
              />
              <Radio
                name="primary"
                label={t.primary}
                checked={primary}
                onChange={() => setPrimary(i)}
                aria-label={`${t.primary}: ${address}`}
              />
              {known(address) && (
                <Mark tone={verified(address) ? 'ok' : 'unknown'}>
                  {verified(address) ? t.confirmed : t.unconfirmed}
                </Mark>
              )}
              {emails.length > 1 && (
                <Button
                  size="compact-sm"
                  variant="default"
                  aria-label={t.removeEmail(address)}
                  onClick={() => drop(i)}
                >
                  ×
                </Button>
              )}
            </div>
          ))}
          {emails.length < MOST_EMAILS && (
            <Button
              size="compact-sm"
              variant="default"
              onClick={() => change({ emails: [...emails, { address: '', primary: emails.length === 0 }] })}
            >
              {t.addEmail}
            </Button>
          )}
        </fieldset>
        <div className="row">
          <Button type="submit" loading={save.isPending}>
            {t.save}
          </Button>
          <span role="status">{save.isSuccess && <Mark tone="ok">{t.saved}</Mark>}</span>
        </div>
        {save.error && (
          <p className="error" role="alert">
            {save.error.message}
          </p>
        )}
      </form>
    </Section>
  )
}
