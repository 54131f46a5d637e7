import { badCluster } from './errors.ts'
import { type Forms, optional, readForms, text, whole } from './forms.ts'

/** How a gateway reaches a computing element of ARC and what it asks of it; comes from the server with each order. */
export interface ArcPlace {
  /** Of the service, such as https://ce.example:443/arex; its REST interface lies below. */
  readonly url: string
  /** What opens it: tokens of the gateway's own issuer, or a certificate that lies at the gateway. */
  readonly credential: 'token' | 'certificate'
  /** Whom the tokens are for, in the words of the computing element. */
  readonly audience: string
  /** PEM of the authority that its certificate must come from; empty: those that the gateway trusts anyway. */
  readonly authority: string
  /** Empty: the one that it chooses. */
  readonly queue: string
  /** Path of Node on its workers; empty: it is sent along with every pilot. */
  readonly node: string
  readonly pollSeconds: number
}

const FORMS: Forms<ArcPlace> = {
  url: text(/^https:\/\/[A-Za-z0-9.[\]:-]{1,260}(\/[A-Za-z0-9._~-]{1,64}){0,4}$/),
  credential: text(/^(token|certificate)$/),
  audience: optional(/^[\x21-\x7e]{1,256}$/),
  authority: optional(/^[A-Za-z0-9+/=\s-]{1,65536}$/),
  queue: optional(/^[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63}$/),
  node: optional(/^\/[A-Za-z0-9_./+-]{1,199}$/),
  pollSeconds: whole(1, 600),
}

/** What an order says of a computing element. Much of it goes into a job description, so only plain words are taken. */
export function readArcPlace(given: unknown): ArcPlace {
  const place = readForms<ArcPlace>(given, FORMS)
  if (!URL.canParse(place.url)) throw badCluster(`"${place.url}" is no address of a service.`)
  return place
}
