import { Mark, Time } from '../common/parts.tsx'
import { useMessages } from '../language/index.tsx'

const DAY_MS = 86_400_000
/** As late as this somebody has to do something. */
const SOON_DAYS = 7

/** When the signature of a repository ends; clients refuse it afterwards. */
export function Expiry({ at }: { at: string | null }) {
  const t = useMessages()
  if (at === null) return <Mark tone="down">{t.software.noWhitelist}</Mark>
  const days = Math.floor((Date.parse(at) - Date.now()) / DAY_MS)
  const tone = days < 0 ? 'down' : days < SOON_DAYS ? 'degraded' : 'ok'
  return (
    <>
      <Mark tone={tone}>{t.software.ends(days)}</Mark>{' '}
      <span className="quiet">
        <Time at={at} />
      </span>
    </>
  )
}
