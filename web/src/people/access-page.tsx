import { useQuery } from '@tanstack/react-query'
import { CopyCommand, Mark, Pending, Scroll } from '../common/parts.tsx'
import { accessMatrixQuery, subjectText } from '../doors/access.ts'
import { useMessages } from '../language/index.tsx'
import { AccessQuestion } from './access-question.tsx'
import { AccessRules } from './access-rules.tsx'
import { PeopleTabs } from './people-tabs.tsx'

const TONES = {
  yes: 'ok',
  own: 'degraded',
  managed: 'degraded',
  'own+managed': 'degraded',
  no: 'unknown',
} as const

export function AccessPage() {
  const t = useMessages()
  return (
    <>
      <div className="head">
        <h1>{t.people.title}</h1>
        <div className="act">
          <CopyCommand command="kumi access matrix" />
        </div>
      </div>
      <PeopleTabs />
      <AccessQuestion />
      <Table />
      <AccessRules />
    </>
  )
}

function Table() {
  const t = useMessages()
  const asked = useQuery(accessMatrixQuery)
  return (
    <>
      <h2>{t.people.access.table}</h2>
      <p className="quiet">{t.people.access.tableHint}</p>
      <div className="panel flush">
        {!asked.data ? (
          <Pending of={asked} />
        ) : (
          <Scroll label={t.people.access.table}>
            <table className="access">
              <thead>
                <tr>
                  <th scope="col">{t.people.access.action}</th>
                  {asked.data.rows.map((row) => (
                    <th scope="col" key={subjectText(row)}>
                      {row.subjectKind === 'everyone' ? t.people.access.everyone : subjectText(row)}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {asked.data.actions.map(({ name, meaning }, i) => (
                  <tr key={name}>
                    <th scope="row" title={meaning}>
                      {name}
                    </th>
                    {asked.data.rows.map((row) => {
                      const may = row.cells[i] ?? 'no'
                      return (
                        <td key={subjectText(row)}>
                          <Mark tone={TONES[may]}>{t.people.access.cell[may]}</Mark>
                        </td>
                      )
                    })}
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
        )}
      </div>
    </>
  )
}
