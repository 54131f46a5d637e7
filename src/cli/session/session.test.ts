import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type SmallGrid, startSmallGrid } from '../../../test/harness/small-grid.ts'
import { commandTree } from '../tree.ts'

let grid: SmallGrid
let printed: string
beforeEach(async () => {
  grid = await startSmallGrid()
  printed = ''
  vi.stubEnv('KUMI_SERVER', grid.environment.KUMI_SERVER!)
  vi.stubEnv('KUMI_HOME', grid.home)
  vi.stubEnv('BEARER_TOKEN', '')
  vi.stubEnv('XDG_CONFIG_HOME', join(grid.home, 'config'))
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text)
    return true
  })
})
afterEach(async () => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
  await grid.close()
})

async function kumi(...words: string[]): Promise<string> {
  printed = ''
  await (await commandTree(words[0])).parseAsync(words, { from: 'user' })
  return printed
}

async function passwordFile(password: string): Promise<string> {
  const file = join(grid.home, 'password')
  await writeFile(file, `${password}\n`, { mode: 0o600 })
  return file
}

describe('a session', () => {
  test('begins with the right password and ends with logout', async () => {
    const file = join(grid.home, 'client', 'token')
    const words = await kumi('login', 'mika', '--quiet', '--password-file', await passwordFile('right'))
    expect(words).toContain('Logged in as mika')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    vi.stubEnv('BEARER_TOKEN_FILE', file)
    expect(await kumi('token', '--raw')).toBe(await readFile(file, 'utf8'))
    expect(JSON.parse(await kumi('token', '--json'))).toEqual({ source: file, claims: { sub: 'mika' } })
    expect(await kumi('logout')).toContain('Logged out')
    await expect(stat(file)).rejects.toThrow()
    expect(await kumi('logout')).toBe('You were not logged in.\n')
  })

  test('does not begin with a wrong password', async () => {
    const login = kumi('login', 'mika', '--password-file', await passwordFile('wrong'))
    await expect(login).rejects.toMatchObject({
      kind: 'unauthenticated',
      message: 'Wrong user name or password.',
    })
    await expect(stat(join(grid.home, 'client', 'token'))).rejects.toThrow()
  })

  test('is known to the server', async () => {
    vi.stubEnv('BEARER_TOKEN', 't')
    expect(await kumi('whoami')).toContain('mika (USER, ACTIVE)')
    vi.stubEnv('BEARER_TOKEN', 'other')
    await expect(kumi('whoami')).rejects.toMatchObject({ kind: 'unauthenticated' })
  })

  test('puts and gets a directory as one dataset', async () => {
    vi.stubEnv('BEARER_TOKEN', 't')
    await writeFile(join(grid.home, 'a.raw'), 'abc')
    const put = JSON.parse(
      await kumi('data', 'put', join(grid.home, '*.raw'), '--dataset', 'd', '--json', '--quiet'),
    )
    expect(put).toMatchObject({ rse: 'A', stored: 1, failed: [] })
    const out = join(grid.home, 'out')
    expect(await kumi('data', 'get', 'user.mika:d', '--dir', out, '--quiet')).toContain('1 fetched')
    expect(await readFile(join(out, 'd', 'a.raw'), 'utf8')).toBe('abc')
    await expect(
      kumi('data', 'put', join(grid.home, 'a.raw'), '--rse', 'X', '--quiet'),
    ).rejects.toMatchObject({
      kind: 'missing',
      message: 'RSE X does not exist.',
    })
  })
})
