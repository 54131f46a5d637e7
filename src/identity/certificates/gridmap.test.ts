import { expect, test } from 'vitest'
import { slashOf } from '../x509/index.ts'
import { readGridmap, writeGridmap, writeGroupmap } from './gridmap.ts'

test('a grid-mapfile is read as it is written, pools and nonsense are told', () => {
  const written = writeGridmap([
    { subject: '/C=JP/O=Grid/CN=Mika', accounts: ['mika', 'prod'] },
    { subject: '/C=JP/O=Grid/CN=host/a.example', accounts: ['robot'] },
    { subject: '/O=Quote " in it', accounts: ['evil'] },
  ])
  expect(written).toBe('"/C=JP/O=Grid/CN=Mika" mika,prod\n"/C=JP/O=Grid/CN=host/a.example" robot\n')
  const { lines, skipped } = readGridmap(
    `# a list\n${written}"/O=Grid/CN=Rin" .pool\n/O=Grid/CN=bare rin\n\nnonsense\n"CN=x" y\n`,
  )
  expect(lines.map(({ subject, account }) => `${slashOf(subject)} ${account}`)).toEqual([
    '/C=JP/O=Grid/CN=Mika mika',
    '/C=JP/O=Grid/CN=host/a.example robot',
    '/O=Grid/CN=bare rin',
  ])
  expect(skipped).toEqual([4, 7, 8])
  expect(writeGridmap([{ subject: '/O=Grid/CN=Mika', accounts: ['mika'] }], '.demo')).toBe(
    '"/O=Grid/CN=Mika" .demo\n',
  )
})

test('a group map has roles before groups and longer paths before shorter ones', () => {
  const groups = ['/demo', '/demo/analysis', '/demo/production'].map((path) => ({ path, role: false }))
  const roles = [{ path: '/demo/analysis/pro-duction', role: true }]
  expect(writeGroupmap([...groups, ...roles], '.demo')).toBe(
    '"/demo/analysis/Role=pro-duction" .demoproduction\n"/demo/analysis" .demo\n"/demo/production" .demo\n"/demo" .demo\n',
  )
})
