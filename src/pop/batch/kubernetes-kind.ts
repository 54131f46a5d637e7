import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { BatchKind } from './kind.ts'
import { kubernetesBatch } from './kubernetes.ts'
import { type KubernetesPlace, readKubernetesPlace } from './kubernetes-place.ts'

/** Namespaces of Kubernetes clusters. What opens one lies at the gateway, in the directory of the place. */
export const kubernetesKind: BatchKind<KubernetesPlace> = {
  read: readKubernetesPlace,
  open(place, { gateway, name, directory, program }) {
    const kubeconfig = join(directory, 'kubeconfig')
    const batch = kubernetesBatch({ place, kubeconfig, program, space: `${gateway}/${name}` })
    return {
      ...batch,
      connection: place.url,
      pollSeconds: place.pollSeconds,
      prepare: async () => void mkdirSync(directory, { recursive: true, mode: 0o700 }),
      async test(offer, step) {
        mkdirSync(directory, { recursive: true, mode: 0o700 })
        const access = await step('credential', async () => [batch.access(), batch.access().owner])
        if (!access) return
        const version = await step('server', async () => {
          const found = await batch.version()
          return [found, `${place.url} answers, ${found}`]
        })
        if (!version) return
        const pilots = await step('namespace', async () => [
          await batch.list(),
          `jobs, pods and events of ${place.namespace} may be read`,
        ])
        if (pilots)
          await step('submit', async () => [
            await batch.tryout(offer),
            `a job with ${place.image} would be taken; whether the image is there shows with the pilot`,
          ])
      },
      close: async () => batch.close(),
    }
  },
}
