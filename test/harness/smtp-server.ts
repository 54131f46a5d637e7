import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

export interface ReceivedMail {
  readonly from: string
  readonly to: string
  readonly data: string
  readonly encrypted: boolean
  readonly user: string
}

/** A mail server that speaks as much of RFC 5321, 3207 and 4954 as a client needs; `answer` plays its faults. */
export async function smtpServer(tls: { cert: string; key: string }, port = 0) {
  const received: ReceivedMail[] = []
  const sockets = new Set<Socket>()
  const faults: { answer?: (line: string) => string | undefined; afterData?: () => Promise<void> } = {}

  const talk = (socket: Socket, encrypted: boolean): void => {
    sockets.add(socket)
    let [buffer, from, to, user] = ['', '', '', '']
    let inData = false
    const say = (line: string): void => void socket.write(`${line}\r\n`)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (chunk) => {
      buffer += chunk.toString('utf8')
      for (;;) {
        const end = buffer.indexOf(inData ? '\r\n.\r\n' : '\r\n')
        if (end < 0) return
        const text = buffer.slice(0, end)
        buffer = buffer.slice(end + (inData ? 5 : 2))
        if (inData) {
          inData = false
          received.push({ from, to, data: text, encrypted, user })
          void (faults.afterData?.() ?? Promise.resolve()).then(() => say('250 kept'))
          continue
        }
        const fault = faults.answer?.(text)
        if (fault !== undefined) {
          say(fault)
          continue
        }
        const verb = text.split(' ')[0]!.toUpperCase()
        if (verb === 'EHLO') {
          say('250-mail.example')
          say(encrypted ? '250 AUTH PLAIN' : '250 STARTTLS')
        } else if (verb === 'STARTTLS') {
          say('220 go on')
          socket.removeAllListeners('data')
          talk(new TLSSocket(socket, { isServer: true, ...tls }), true)
          return
        } else if (verb === 'AUTH') {
          user = Buffer.from(text.split(' ')[2] ?? '', 'base64')
            .toString()
            .split('\0')
            .slice(1)
            .join(':')
          say('235 welcome')
        } else if (verb === 'MAIL') {
          from = /<(.*?)>/.exec(text)?.[1] ?? ''
          say('250 ok')
        } else if (verb === 'RCPT') {
          to = /<(.*?)>/.exec(text)?.[1] ?? ''
          say('250 ok')
        } else if (verb === 'DATA') {
          inData = true
          say('354 end with a dot')
        } else if (verb === 'QUIT') {
          say('221 bye')
          socket.end()
        } else say('250 ok')
      }
    })
  }
  const server = createServer((socket) => {
    talk(socket, false)
    socket.write('220 mail.example ESMTP\r\n')
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    ...{ received, faults, port: (server.address() as AddressInfo).port },
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
