import { badCluster } from './errors.ts'
import { type Forms, optional, readForms, text, whole } from './forms.ts'

/** How a gateway reaches a namespace of a Kubernetes cluster and what pilots are there; comes with each order. */
export interface KubernetesPlace {
  /** Of the API server, such as https://k8s.example:6443. */
  readonly url: string
  readonly namespace: string
  /** What pilots run in: it has a shell, tar, gzip and Node. */
  readonly image: string
  /** Node in the image. */
  readonly node: string
  /** The number of the user that pilots run as; 0: what the namespace says, never root. */
  readonly userId: number
  readonly pollSeconds: number
}

const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
const FORMS: Forms<KubernetesPlace> = {
  url: text(/^https:\/\/[A-Za-z0-9.[\]:-]{1,260}(\/[A-Za-z0-9._~-]{1,64}){0,4}$/),
  namespace: text(NAME),
  image: text(/^[A-Za-z0-9][A-Za-z0-9._/:@-]{0,254}$/),
  node: optional(/^\/?[A-Za-z0-9_.][A-Za-z0-9_./+-]{0,198}$/),
  userId: whole(0, 2 ** 31 - 1),
  pollSeconds: whole(1, 600),
}

/** What an order says of a namespace. */
export function readKubernetesPlace(given: unknown): KubernetesPlace {
  const place = readForms<KubernetesPlace>(given, FORMS)
  if (!URL.canParse(place.url)) throw badCluster(`"${place.url}" is no address of an API server.`)
  return place
}
