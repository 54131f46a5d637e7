import { defineError } from '../../kernel/errors.ts'

const cutAnswer = defineError('transient', 'answer_cut')

/** The values of a stream of JSON lines, one by one; a broken last line is an error, never silently dropped. */
export async function* readJsonLines<T>(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<T> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop()!
    for (const line of lines) if (line.trim()) yield parseLine<T>(line)
  }
  rest += decoder.decode()
  if (rest.trim()) yield parseLine<T>(rest)
}

function parseLine<T>(line: string): T {
  try {
    return JSON.parse(line) as T
  } catch (error) {
    throw cutAnswer('The answer of the server broke off; try again.', {}, error)
  }
}
