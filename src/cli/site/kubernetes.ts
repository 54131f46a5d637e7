import { badOption } from '../common-options.ts'
import { type PlaceKind, small, word } from './place-kind.ts'

/** A namespace of a Kubernetes cluster. What opens it is laid down at the gateway, not given here. */
export const kubernetesPlace: PlaceKind = {
  flag: '--kubernetes <url>',
  help: 'a Kubernetes cluster: its API server',
  heading: 'Kubernetes:',
  example:
    'kumi site add mito --kubernetes https://k8s.mito.example:6443 --namespace pilots --image docker.io/library/node:22 --through kek',
  options: (command) =>
    command
      .option('--namespace <name>', 'of the cluster, where pilots run')
      .option('--image <name>', 'what they run in; it has sh, tar, gzip and Node 20 or later')
      .option('--user-id <number>', 'whom they run as; 0: whom the namespace says', '1000'),
  describe(given, options) {
    const [namespace, image] = [word(options, 'namespace'), word(options, 'image')]
    if (!given.startsWith('https://')) throw badOption(`--kubernetes needs an https address, not "${given}".`)
    if (namespace === '' || image === '') throw badOption('--kubernetes needs --namespace and --image, too.')
    return {
      ...{ url: given.replace(/\/$/, ''), namespace, image, node: word(options, 'node') },
      userId: small('--user-id', word(options, 'userId')),
      pollSeconds: small('--poll', word(options, 'poll')),
    }
  },
}
