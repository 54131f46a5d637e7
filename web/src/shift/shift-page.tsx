import './shift.css'
import { NativeSelect, Textarea, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Asking, ChangeForm, Panel, Step, useRights } from '../common/acting.tsx'
import { utc } from '../common/format.ts'
import { CopyCommand, Empty, Mark, Pending, Scroll, Time, useFirst } from '../common/parts.tsx'
import {
  type Entry,
  endShift,
  logQuery,
  planShift,
  rosterQuery,
  type Shift,
  type ShiftKind,
  shiftsNowQuery,
  startShift,
  unplanShift,
  writeLog,
} from '../doors/shifts.ts'
import { useMessages } from '../language/index.tsx'
import { NowTabs } from './now-tabs.tsx'

export function ShiftPage() {
  const t = useMessages()
  return (
    <>
      <div className="head">
        <h1>{t.shift.title}</h1>
        <div className="act">
          <CopyCommand command="kumi shift show" />
        </div>
      </div>
      <NowTabs on="shift" />
      <div className="halves">
        <Running />
        <Roster />
      </div>
      <Log />
    </>
  )
}

/** Who watches now, and what passes from one to the next. */
function Running() {
  const t = useMessages()
  const { me, may } = useRights()
  const asked = useQuery(shiftsNowQuery)
  if (!asked.data)
    return (
      <Panel title={t.shift.now}>
        <Pending of={asked} />
      </Panel>
    )
  const { running, before, draft } = asked.data
  const mine = running.find(({ person }) => person === me.account)
  return (
    <Panel title={t.shift.now}>
      {running.length === 0 && <Empty>{t.shift.nobody}</Empty>}
      <ul className="sitelist">
        {running.map((shift) => (
          <li key={shift.id} className="row">
            <span>
              <b>{shift.person}</b> <span className="quiet">{t.shift.kind[shift.kind]}</span>
            </span>
            <span className="quiet">
              {t.now.since} <Time at={shift.startedAt ?? shift.startsAt} />
            </span>
          </li>
        ))}
      </ul>
      {may('operations.shift') && !mine && (
        <div className="moves">
          <Step label={t.shift.begin} run={() => startShift('DP')} />
        </div>
      )}
      {mine && (
        <details className="more">
          <summary>{t.shift.handOver}</summary>
          <ChangeForm
            label={t.shift.handOver}
            submit={t.shift.handOver}
            run={(values) => endShift(values.handover ?? '')}
            plain
          >
            <Textarea
              name="handover"
              label={t.shift.handover}
              description={t.shift.draft}
              defaultValue={draft}
              autosize
              minRows={6}
              maxRows={24}
              required
            />
          </ChangeForm>
        </details>
      )}
      {before?.handover && (
        <>
          <h3 className="quiet">
            {t.shift.before(before.person)} <Time at={before.endedAt ?? before.endsAt} />
          </h3>
          <p className="handover">{before.handover}</p>
        </>
      )}
    </Panel>
  )
}

const KINDS = ['DP', 'expert', 'DC'] as const satisfies ShiftKind[]
const utcOf = (local: string | undefined) => new Date(`${local ?? ''}Z`).toISOString()

/** Three days of shifts of two kinds. */
const SHOWN = 10

function Roster() {
  const t = useMessages()
  const { may } = useRights()
  const asked = useQuery(rosterQuery)
  const { shown, rest } = useFirst(asked.data ?? [], SHOWN)
  const plan = (values: Readonly<Record<string, string>>) =>
    planShift({
      kind: KINDS.find((kind) => kind === values.kind) ?? 'DP',
      person: values.person ?? '',
      startsAt: utcOf(values.from),
      endsAt: utcOf(values.to),
    })
  return (
    <Panel title={t.shift.roster} flush>
      {!asked.data ? (
        <Pending of={asked} />
      ) : asked.data.length === 0 ? (
        <Empty>{t.shift.noRoster}</Empty>
      ) : (
        <Scroll label={t.shift.roster}>
          <table>
            <tbody>
              {shown.map((shift) => (
                <Planned key={shift.id} shift={shift} may={may('operations.shift')} />
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
      {rest}
      {may('operations.shift') && (
        <details className="more inset">
          <summary>{t.shift.plan}</summary>
          <ChangeForm label={t.shift.plan} submit={t.shift.plan} run={plan} plain>
            <TextInput name="person" label={t.shift.person} required maxLength={64} />
            <NativeSelect
              name="kind"
              label={t.shift.kindTitle}
              data={KINDS.map((value) => ({ value, label: t.shift.kind[value] }))}
            />
            <TextInput name="from" type="datetime-local" label={t.sites.from} required />
            <TextInput name="to" type="datetime-local" label={t.sites.to} required />
          </ChangeForm>
        </details>
      )}
    </Panel>
  )
}

function Planned({ shift, may }: { shift: Shift; may: boolean }) {
  const t = useMessages()
  const state = shift.endedAt ? 'over' : shift.startedAt ? 'running' : 'planned'
  return (
    <tr>
      <td>
        <b>{shift.person}</b> <span className="quiet">{t.shift.kind[shift.kind]}</span>
      </td>
      <td>
        {utc(shift.startsAt).slice(0, 16)} – {utc(shift.endsAt).slice(5, 16)}
      </td>
      <td>
        <Mark tone={state === 'running' ? 'moving' : state === 'over' ? 'ok' : 'unknown'}>
          {t.shift.state[state]}
        </Mark>
      </td>
      {may && (
        <td>
          {state === 'planned' && (
            <Asking label={t.shift.unplan} question={t.shift.unplanSure} run={() => unplanShift(shift.id)} />
          )}
        </td>
      )}
    </tr>
  )
}

/** What happened and what people wrote, newest first. */
const ENTRIES_SHOWN = 50

function Log() {
  const t = useMessages()
  const { may } = useRights()
  const asked = useQuery(logQuery)
  const { shown, rest } = useFirst(asked.data ?? [], ENTRIES_SHOWN)
  return (
    <Panel title={t.shift.log}>
      {may('operations.shift') && (
        <ChangeForm label={t.shift.log} submit={t.shift.write} run={(values) => writeLog(values.text ?? '')}>
          <TextInput className="grow" name="text" label={t.shift.entry} required maxLength={2000} />
        </ChangeForm>
      )}
      {!asked.data ? (
        <Pending of={asked} />
      ) : asked.data.length === 0 ? (
        <Empty>{t.shift.noLog}</Empty>
      ) : (
        <ol className="plainlist log">
          {shown.map((entry) => (
            <Line key={entry.id} entry={entry} />
          ))}
        </ol>
      )}
      {rest}
    </Panel>
  )
}

function Line({ entry: { at, author, text, card, site } }: { entry: Entry }) {
  const t = useMessages()
  return (
    <li>
      <span>
        <span className="quiet">
          <Time at={at} />
        </span>{' '}
        <span className="break">{text}</span>{' '}
        {card !== null && (
          <Link className="in-text" to="/cards/$id" params={{ id: String(card) }}>
            {t.shift.card(card)}
          </Link>
        )}{' '}
        {site !== null && (
          <Link className="in-text" to="/sites/$name" params={{ name: site }}>
            {site}
          </Link>
        )}
      </span>
      <span className="quiet">{author ?? t.cards.machine}</span>
    </li>
  )
}
