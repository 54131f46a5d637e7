import type { StatusDocument } from '../../operations/index.ts'
import { type Language, WORDS } from './words.ts'

const OLD_MS = 180_000
const JST_MS = 9 * 3_600_000

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

/** `2026-11-21 12:00 UTC (21:00 JST)`, with the day in Japan where it is another. */
export function bothTimes(time: string): string {
  const utc = new Date(time).toISOString()
  const jst = new Date(Date.parse(time) + JST_MS).toISOString()
  const there = jst.slice(0, 10) === utc.slice(0, 10) ? jst.slice(11, 16) : jst.slice(0, 16).replace('T', ' ')
  return `${utc.slice(0, 16).replace('T', ' ')} UTC (${there} JST)`
}

/** Shape and word tell the state, not colour alone. */
const MARKS = { ok: '●', degraded: '▲', down: '■', maintenance: '◇', unknown: '◆' } as const

const STYLE = `:root{color-scheme:light dark}
a{color:inherit}body{background:Canvas;color:CanvasText;font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.5rem;border-bottom:1px solid #8888}
.ok{color:#00664d}.degraded{color:#8a5a00}.down{color:#b03a00}.maintenance{color:#0059a0}.unknown{color:#666}
.days{display:flex;gap:1px;height:1.25rem}.days i{flex:1;background:#009e73}.days .some{background:#e69f00}
.days .bad{background:#d55e00}.days .none{background:#8884}.old{border:2px solid #d55e00;padding:.5rem}
@media(prefers-color-scheme:dark){.ok{color:#5fd3b0}.degraded{color:#f0b84a}.down{color:#ff9063}.maintenance{color:#7cc0ff}.unknown{color:#aaa}}`

const levelOf = (available: number | null): string =>
  available === null ? 'none' : available >= 0.99 ? 'good' : available >= 0.9 ? 'some' : 'bad'

/** The page for people: no script, nothing from elsewhere. */
export function statusPage(document: StatusDocument | undefined, language: Language, now: Date): string {
  const t = WORDS[language]
  const title = t.title(document?.title ?? 'Kumihimo')
  const other = language === 'en' ? 'ja' : 'en'
  const head = `<!doctype html><html lang="${language}"><head><meta charset="utf-8"><title>${escaped(title)}</title>
<meta name="viewport" content="width=device-width,initial-scale=1"><style>${STYLE}</style></head>
<body><main><h1>${escaped(title)}</h1><p><a href="/status?lang=${other}" lang="${other}" hreflang="${other}">${t.other}</a></p>`
  if (!document) return `${head}<p>${t.nothing}</p></main></body></html>`
  const old =
    now.getTime() - Date.parse(document.at) > OLD_MS ? `<p class="old" role="status">${t.old}</p>` : ''
  const lines = document.services.map(({ name, site, state, days }) => {
    const known = days.filter((one) => one.available !== null)
    const sum = known.reduce((all, one) => all + one.available!, 0)
    const percent = ((100 * sum) / Math.max(1, known.length)).toFixed(2)
    const told = known.length > 0 ? t.available(percent, known.length) : t.unseen
    const bars = days.map(({ available }) => `<i class="${levelOf(available)}"></i>`).join('')
    return `<tr><th scope="row">${escaped(site === null ? t.itself : name)}</th>
<td class="${state}">${MARKS[state]} ${t.states[state]}</td>
<td><div class="days" aria-hidden="true">${bars}</div>${told}</td></tr>`
  })
  const downtimes = document.downtimes.map(
    ({ site, severity, startsAt, endsAt }) =>
      `<li>${escaped(site)}: ${severity === 'OUTAGE' ? t.outage : t.warning}, ${bothTimes(startsAt)} – ${bothTimes(endsAt)}</li>`,
  )
  return `${head}<p>${t.at}: ${bothTimes(document.at)}</p>${old}
<table><thead><tr><th scope="col">${t.service}</th><th scope="col">${t.state}</th><th scope="col">${t.history}</th></tr></thead>
<tbody>${lines.join('\n')}</tbody></table><h2>${t.downtimes}</h2>
${downtimes.length > 0 ? `<ul>${downtimes.join('\n')}</ul>` : `<p>${t.none}</p>`}</main></body></html>
`
}
