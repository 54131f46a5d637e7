import { connect, createServer } from 'node:net'

/** A line to a port of this machine that can be cut: nothing passes, nothing is said, until it is whole again. */
export async function cuttable(target) {
  let cut = false
  const pairs = new Set()
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1')
    const pair = [near, far]
    pairs.add(pair)
    for (const [from, to] of [pair, [far, near]]) {
      from.on('data', (part) => {
        if (!to.write(part)) from.pause()
      })
      to.on('drain', () => {
        if (!cut) from.resume()
      })
      from.on('end', () => to.end())
      for (const event of ['error', 'close'])
        from.on(event, () => {
          pairs.delete(pair)
          to.destroy()
        })
    }
    if (cut) for (const end of pair) end.pause()
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: server.address().port,
    cut() {
      cut = true
      for (const pair of pairs) for (const end of pair) end.pause()
    },
    /** Connections of before are lost, as they are when addresses were forgotten on the way. */
    mend() {
      cut = false
      for (const pair of pairs) for (const end of pair) end.destroy()
      pairs.clear()
    },
    close() {
      this.mend()
      server.close()
    },
  }
}
