import { arcPlace } from './arc.ts'
import { htcondorPlace } from './htcondor.ts'
import { kubernetesPlace } from './kubernetes.ts'
import type { PlaceKind } from './place-kind.ts'
import { slurmPlace } from './slurm.ts'

/** Every kind of batch system that a site can be added with, by the name that its gateway knows it by. */
export const placeKinds: Readonly<Record<string, PlaceKind>> = {
  arc: arcPlace,
  slurm: slurmPlace,
  htcondor: htcondorPlace,
  kubernetes: kubernetesPlace,
}
