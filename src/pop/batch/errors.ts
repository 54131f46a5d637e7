import { defineError } from '../../kernel/errors.ts'

/** What can be wrong between a gateway and a batch system; the message says what to do. */
export const badCluster = defineError('invalid', 'bad_cluster')
export const hostKeyUnknown = defineError('denied', 'host_key_unknown')
export const loginRefused = defineError('denied', 'login_refused')
export const clusterAway = defineError('transient', 'cluster_away')
export const noSlurm = defineError('missing', 'no_slurm')
export const noCondor = defineError('missing', 'no_condor')
export const partitionWrong = defineError('invalid', 'partition_wrong')
export const submitRefused = defineError('denied', 'submit_refused')
export const clusterFailed = defineError('fatal', 'cluster_failed')
