import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isGridError } from '../kernel/index.ts'
import { filled, jobsOfJdl, parseJdl, wordsOf } from './jdl.ts'

const defaults = { outputDataset: (name: string) => ({ scope: 'user.mika', name }) }

describe('a job description', () => {
  test('is read with and without brackets, comments, and in any case of its names', () => {
    const text = `[
      // what to run
      Executable = "run.sh"; arguments = "--n 5 'two words'";   # and how
      /* where */ SITE = {"kek", "osaka"}; CPUTime = 3600; JobName = "fit_%n"
    ]`
    expect(parseJdl(text)).toEqual(parseJdl(text.trim().slice(1, -1)))
    const { demand, spec, name, items } = jobsOfJdl(text, defaults)
    expect(spec).toMatchObject({ executable: 'run.sh', arguments: ['--n', '5', 'two words'] })
    expect(demand).toMatchObject({ sites: ['kek', 'osaka'], seconds: 3600, cores: 1 })
    expect([name, items.length]).toEqual(['fit_%n', 1])
  })

  test('makes one job for each set of parameters', () => {
    const { items, expansion } = jobsOfJdl(
      `Executable = "/bin/echo"; Parameters = 3; ParameterStart = 1; ParameterStep = 1; ParameterFactor = 2;
       Parameters.SEED = {7, 8, 9}; InputData = {"LFN:mc:run_%(SEED)s.root"};`.replaceAll('SEED', 'seed'),
      defaults,
    )
    expect(expansion.parametric).toBe(true)
    expect(items.map((item) => [item.n, item.parameters[''], item.inputs[0]?.name])).toEqual([
      [0, '1', 'run_7.root'],
      [1, '3', 'run_8.root'],
      [2, '7', 'run_9.root'],
    ])
    expect(filled('%s of %(seed)s is %n in %j, %(x)s', items[1]!, 12n)).toBe('3 of 8 is 1 in 12, %(x)s')
  })

  test('names a release as the command line does', () => {
    const text = 'Executable = "run.sh"; Software = "koto.example.org@release-08";'
    expect(jobsOfJdl(text, defaults).software).toBe('koto.example.org@release-08')
    expect(jobsOfJdl('Executable = "run.sh"', defaults).software).toBe('')
  })

  test('that is wrong says where', () => {
    for (const [text, message] of [
      ['Executable = ;', /Line 1.*value/],
      ['Executable = "a"\nSite = "b";', /Line 2.*";"/],
      ['[Executable = "a";', /name is missing/],
      ['Arguments = "x";', /names no Executable/],
      ['Executable = "a"; CPUTime = "soon";', /CPUTime must be a whole number/],
      ['Executable = "a"; Parameters.a = {1,2}; Parameters.b = {1};', /same length/],
      ['Executable = "a"; Parameters = 99999999;', /at most/],
    ] as const)
      expect(() => jobsOfJdl(text, defaults), text).toThrow(message)
  })

  test('whatever it is, is read or refused as such, and quickly', () => {
    const piece = fc.constantFrom(
      '[',
      ']',
      '{',
      '}',
      '=',
      ';',
      ',',
      '"',
      '\\',
      '\n',
      '/*',
      '*/',
      '//',
      '#',
      ' ',
      'Executable',
      'Parameters',
      '"a"',
      '12',
      '%s',
      'é',
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(piece, { maxLength: 60 }).map((all) => all.join('')),
        ),
        (text) => {
          try {
            jobsOfJdl(text, defaults)
          } catch (error) {
            if (!isGridError(error) || error.kind !== 'invalid') throw error
          }
        },
      ),
      { numRuns: 3000 },
    )
  })

  test('written from values is read as those values', () => {
    const word = fc.string({ minLength: 1 })
    const quoted = (text: string) => `"${text.replace(/[\\"]/g, '\\$&')}"`
    fc.assert(
      fc.property(word, fc.array(word), (one, list) => {
        const read = parseJdl(`A = ${quoted(one)}; B = {${list.map(quoted).join(', ')}};`)
        expect([read.get('a'), read.get('b')]).toEqual([one, list])
      }),
    )
    expect(wordsOf(`a "b c" d'e f'g ''`)).toEqual(['a', 'b c', 'de fg', ''])
  })
})
