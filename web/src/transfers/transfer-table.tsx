import { Link } from '@tanstack/react-router'
import { bytes } from '../common/format.ts'
import { Mark, Scroll, Time } from '../common/parts.tsx'
import type { Transfer, TransferState } from '../doors/kumi.ts'
import { useMessages } from '../language/index.tsx'

const TONES = {
  queued: 'unknown',
  active: 'moving',
  verifying: 'moving',
  retrying: 'degraded',
  done: 'ok',
  adopted: 'ok',
  failed: 'down',
  canceled: 'unknown',
} as const satisfies Record<TransferState, string>

export function TransferTable({
  transfers,
  label,
  ofLink = false,
}: {
  transfers: readonly Transfer[]
  label: string
  ofLink?: boolean
}) {
  const t = useMessages()
  return (
    <Scroll label={label}>
      <table>
        <thead>
          <tr>
            <th>{t.transfers.file}</th>
            {!ofLink && <th>{t.transfers.link}</th>}
            <th>{t.transfers.condition}</th>
            <th className="num">{t.data.size}</th>
            <th>{t.transfers.when}</th>
          </tr>
        </thead>
        <tbody>
          {transfers.map((one) => (
            <tr key={one.id}>
              <td className="break">
                <Link to="/data/$scope/$name" params={{ scope: one.scope, name: one.name }}>
                  {one.name}
                </Link>
              </td>
              {!ofLink && (
                <td style={{ whiteSpace: 'nowrap' }}>
                  {one.source ? (
                    <Link
                      to="/transfers/$source/$destination"
                      params={{ source: one.source, destination: one.destination }}
                    >
                      {one.source} → {one.destination}
                    </Link>
                  ) : (
                    <>→ {one.destination}</>
                  )}
                </td>
              )}
              <td>
                <Mark tone={TONES[one.state]}>{t.transfers.state[one.state]}</Mark>
              </td>
              <td className="num">
                {one.state === 'active' && one.bytesDone > 0 ? `${bytes(one.bytesDone)} / ` : ''}
                {bytes(one.bytes)}
              </td>
              <td className="break">
                {one.error && (
                  <>
                    <span className="error">{one.error}</span>
                    <br />
                  </>
                )}
                <span className="quiet">
                  {one.error && <>{t.rules.attempts(one.attempts)} · </>}
                  {one.state === 'retrying' && one.notBefore ? (
                    <>
                      {t.rules.nextTry} <Time at={one.notBefore} />
                    </>
                  ) : (
                    <Time at={one.finishedAt ?? one.startedAt ?? one.createdAt} />
                  )}
                </span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}
