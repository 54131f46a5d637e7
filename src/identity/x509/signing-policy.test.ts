import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nameFromSlash } from './names.ts'
import { globMatches, readNamespaces, readSigningPolicies } from './signing-policy.ts'

const permits = (policies: ReturnType<typeof readSigningPolicies>, subject: string) =>
  policies.map((policy) => policy.permits(nameFromSlash(subject)))

describe('a signing policy', () => {
  const text = `
# the authority of a laboratory
access_id_CA      X509         '/C=JP/O=KEK/OU=CRC/CN=KEK GRID Certificate Authority'
pos_rights        globus        CA:sign
cond_subjects     globus     '"/C=JP/O=KEK/OU=CRC/*" "/C=JP/O=KEK/OU=Robots/CN=robot?"'
  # another one in the same file
access_id_CA      X509         "/O=Other/CN=CA"
pos_rights        globus        CA:sign
cond_subjects     globus       '/O=Other/*'
`
  test('permits what one of its globs matches, for each authority by itself', () => {
    const policies = readSigningPolicies(text)
    expect(policies).toHaveLength(2)
    expect(permits(policies, '/C=JP/O=KEK/OU=CRC/CN=Mika')).toEqual([true, false])
    expect(permits(policies, '/c=jp/O=kek/OU=CRC/CN=mika')).toEqual([true, false])
    expect(permits(policies, '/C=JP/O=KEK/OU=Robots/CN=robot1')).toEqual([true, false])
    expect(permits(policies, '/C=JP/O=KEK/OU=Robots/CN=robot12')).toEqual([false, false])
    expect(permits(policies, '/C=JP/O=KEK2/OU=CRC/CN=Mika')).toEqual([false, false])
    expect(permits(policies, '/O=Other/CN=x')).toEqual([false, true])
    expect(permits(policies, '/O=Otherwise/CN=x')).toEqual([false, false])
  })

  test('knows the names an e-mail address goes by', () => {
    const one =
      "access_id_CA X509 '/O=x'\npos_rights globus CA:sign\ncond_subjects globus '\"/O=x/Email=*@x.org\"'"
    expect(permits(readSigningPolicies(one), '/O=x/emailAddress=a@x.org')).toEqual([true])
  })

  test('that is not understood is refused as a whole, never read as permission', () => {
    for (const bad of [
      'neg_rights globus CA:sign',
      'cond_subjects globus "/*"',
      "access_id_CA X509 ''",
      'permit all',
    ])
      expect(() => readSigningPolicies(bad)).toThrow(expect.objectContaining({ kind: 'invalid' }))
    const silent = readSigningPolicies("access_id_CA X509 '/O=x'\npos_rights globus CA:sign")
    expect(permits(silent, '/O=x/CN=y')).toEqual([false])
  })
})

describe('a namespaces file', () => {
  test('permits by regular expression over the whole name, and a denial wins', () => {
    const policies = readNamespaces(`
#NAMESPACES-VERSION: 1.0
TO Issuer "/C=JP/O=KEK/CN=CA" \\
  PERMIT Subject "/C=JP/O=KEK/.*"
TO Issuer "/C=JP/O=KEK/CN=CA" DENY Subject "/C=JP/O=KEK/OU=Test/.*"
`)
    expect(permits(policies, '/C=JP/O=KEK/CN=Mika')).toEqual([true])
    expect(permits(policies, '/C=JP/O=KEK/OU=Test/CN=Mika')).toEqual([false])
    expect(permits(policies, '/O=x/C=JP/O=KEK/CN=Mika')).toEqual([false])
    for (const bad of ['TO Issuer "/O=x" PERMIT Subject "("', 'TO Issuer "/O=x"', 'PERMIT everything'])
      expect(() => readNamespaces(bad)).toThrow(expect.objectContaining({ code: 'invalid_signing_policy' }))
  })
})

test('a glob matches as the same regular expression does, without its slowness', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 12 })
  const glob = fc.string({ unit: fc.constantFrom('a', 'b', '/', '*', '?'), maxLength: 8 })
  fc.assert(
    fc.property(glob, letters, (pattern, text) => {
      const same = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`)
      expect(globMatches(pattern, text)).toBe(same.test(text))
    }),
    { numRuns: 1000 },
  )
  expect(globMatches('*a'.repeat(30), 'a'.repeat(5000))).toBe(true)
  expect(globMatches(`${'*a'.repeat(30)}b`, 'a'.repeat(5000))).toBe(false)
})
