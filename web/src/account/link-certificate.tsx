import { Button, Code, TextInput } from '@mantine/core'
import { type FormEvent, useState } from 'react'
import { Mark } from '../common/parts.tsx'
import { DoorError } from '../doors/http.ts'
import { linkShownCertificate } from '../doors/mine.ts'
import { useMessages } from '../language/index.tsx'
import { Section, securedAddress, useChange, useMe } from './parts.tsx'

/** Linking takes a connection made with the certificate: by this browser, or by a program that has the files. */
export function LinkCertificate() {
  const t = useMessages().account.certificates
  const { vo } = useMe()
  const [label, setLabel] = useState('')
  const link = useChange(() => linkShownCertificate(vo, label.trim()))
  const secured = securedAddress()
  const notShown = link.error instanceof DoorError && link.error.code === 'certificate_needed'
  const submit = (event: FormEvent) => {
    event.preventDefault()
    link.mutate(undefined, { onSuccess: () => setLabel('') })
  }
  return (
    <Section title={t.linkTitle} hint={t.linkHint}>
      <h3>{t.inBrowser}</h3>
      {secured ? (
        <p>
          {t.insecure} <a href={secured}>{new URL(secured).origin}</a>
        </p>
      ) : (
        <form onSubmit={submit} className="fields">
          <p className="quiet">{t.inBrowserHint}</p>
          <TextInput
            label={t.label}
            description={t.labelHint}
            value={label}
            maxLength={200}
            onChange={(event) => setLabel(event.currentTarget.value)}
          />
          <div>
            <Button type="submit" loading={link.isPending}>
              {t.link}
            </Button>
          </div>
          <div role="status">{link.data && <Mark tone="ok">{t.done(link.data.subject)}</Mark>}</div>
          {link.error && (
            <p className="error" role="alert">
              {notShown ? t.notShown : link.error.message}
            </p>
          )}
        </form>
      )}
      <h3>{t.inFiles}</h3>
      <p className="quiet">{t.inFilesHint}</p>
      <Code block>kumi cert link --cert usercert.pem --key userkey.pem</Code>
    </Section>
  )
}
