import { Button, Code } from '@mantine/core'
import { DoorError } from '../doors/http.ts'
import { issueCertificate } from '../doors/mine.ts'
import { useMessages } from '../language/index.tsx'
import { makeRequest } from './csr.ts'
import { Ends, Section, securedAddress, useChange, useMe } from './parts.tsx'

/** A short-lived certificate of the grid's own authority, for a key that is made here and leaves only as a file. */
export function MakeCertificate() {
  const t = useMessages().account.certificates
  const { vo } = useMe()
  const make = useChange(async (_: undefined) => {
    const { csr, key } = await makeRequest()
    const { certificate, notAfter, subject } = await issueCertificate(vo, csr)
    return { subject, notAfter, file: certificate + key }
  })
  const secured = securedAddress()
  const noAuthority = make.error instanceof DoorError && make.error.code === 'no_issuing_authority'
  return (
    <Section title={t.getTitle} hint={t.getHint}>
      {!window.isSecureContext && secured ? (
        <p>
          {t.needsSecure} <a href={secured}>{new URL(secured).origin}</a>
        </p>
      ) : make.data ? (
        <div role="status">
          <p className="mono">{make.data.subject}</p>
          <p>
            {t.expires}: <Ends at={make.data.notAfter} soonDays={0} />
          </p>
          <Button onClick={() => save('usercert-and-key.pem', make.data.file)}>{t.save}</Button>
          <p className="quiet">{t.got}</p>
        </div>
      ) : (
        <Button onClick={() => make.mutate(undefined)} loading={make.isPending}>
          {t.get}
        </Button>
      )}
      {make.error && (
        <p className="error" role="alert">
          {noAuthority ? t.noAuthority : make.error.message}
        </p>
      )}
      <p className="quiet">{t.getCommand}</p>
      <Code block>kumi proxy</Code>
    </Section>
  )
}

function save(name: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: 'application/x-pem-file' }))
  const link = Object.assign(document.createElement('a'), { href: address, download: name })
  link.click()
  URL.revokeObjectURL(address)
}
