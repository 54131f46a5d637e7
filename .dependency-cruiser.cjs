// The floors of the house: a room may import only rooms below it, and only through their index.ts.
const floors = [
  ['kernel'],
  ['identity'],
  ['sites'],
  ['storage'],
  ['catalog'],
  ['software'],
  ['transfer'],
  ['placement'],
  ['raw'],
  ['workload'],
  ['production'],
]
const upward = floors.flatMap((rooms, floor) =>
  rooms.map((room) => {
    const above = floors.slice(floor + 1).flat()
    const never = [...above, 'doors', 'http', 'cli', 'pop', 'pilot'].join('|')
    return {
      name: `${room}-imports-nothing-above`,
      severity: 'error',
      from: { path: `^src/${room}/` },
      to: { path: `^src/(${never})/` },
    }
  }),
)
const domains = floors.slice(1).flat().join('|')
module.exports = {
  forbidden: [
    ...upward,
    { name: 'no-circle', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'rooms-meet-at-index',
      severity: 'error',
      from: { path: `^src/(${domains})/`, pathNot: '\\.test\\.ts$' },
      to: { path: '^src/([^/]+)/', pathNot: ['^src/[^/]+/index\\.ts$', '^src/$1/', '^src/kernel/'] },
    },
    {
      name: 'sql-only-in-stores',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/kernel/', '\\.store\\.ts$', '\\.test\\.ts$'] },
      to: { path: 'node_modules/(pg|kysely|pg-copy-streams)/' },
    },
    {
      name: 'fastify-only-at-the-doors',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/(http|doors)/', '\\.test\\.ts$'] },
      to: { path: 'node_modules/(fastify|@fastify)/' },
    },
    {
      // What a certificate is, and what a software repository is, is the same everywhere; those files know no
      // database and no server.
      name: 'cli-talks-to-doors-by-http',
      severity: 'error',
      from: { path: '^src/cli/' },
      to: { path: `^src/(${domains}|doors|http)/`, pathNot: '^src/(identity/(x509/|voms/(attribute-certificate|build|fqan)\\.ts$)|software/(format|reader|local|image)/|storage/(archive|root)/)' },
    },
    {
      name: 'gateway-and-pilot-stay-small',
      severity: 'error',
      from: { path: '^src/(pop|pilot)/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/(sites|catalog|transfer|placement|workload|production)/' },
    },
    {
      name: 'console-talks-to-doors-by-http',
      severity: 'error',
      from: { path: '^web/' },
      to: { path: '^src/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^dist/|\\.d\\.ts$)' },
    parser: 'swc',
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { extensions: ['.ts', '.tsx', '.js', '.mjs'] },
  },
}
