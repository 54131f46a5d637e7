import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Held, ObjectStore } from './kubernetes-objects.ts'

interface Container {
  readonly image: string
  readonly command: string[]
  readonly env: { name: string; value: string }[]
  readonly volumeMounts: { name: string; mountPath: string }[]
  readonly resources: { requests: { cpu: string } }
}

interface Source {
  readonly name: string
  readonly items?: { key: string; path: string }[]
}

interface PodSpec {
  readonly activeDeadlineSeconds?: number
  readonly terminationGracePeriodSeconds: number
  readonly securityContext: { runAsUser?: number; runAsNonRoot?: boolean }
  readonly containers: Container[]
  readonly volumes: {
    name: string
    secret?: { secretName: string }
    projected?: { sources: { configMap: Source }[] }
    emptyDir?: object
  }[]
}

interface Running {
  readonly child: ChildProcess
  readonly directory: string
  told: boolean
}

/** The mounts of one container, in a namespace of its own, and its command as the user that it wants. */
const ENTER = `set -e
mount -t tmpfs -o mode=755 tmpfs /run
count=$1 user=$2
shift 2
while [ "$count" -gt 0 ]; do
  mkdir -p "$2"
  mount --bind "$1" "$2"
  shift 2
  count=$((count - 1))
done
exec setpriv --reuid "$user" --regid "$user" --clear-groups --no-new-privs env -i PATH="$PATH" "$@"`
const CPUS = 8
const LOG_MOST = 2048

/** A node: pods that it gets become processes of this machine, with their volumes, and their states are told. */
export function kubernetesNode(directory: string, store: ObjectStore, images: readonly string[]) {
  const running = new Map<string, Running>()
  const specOf = (pod: Held) => pod.spec as PodSpec
  const tell = (pod: Held, status: object): void => {
    const text = JSON.stringify(status)
    if (text === JSON.stringify(pod.status)) return
    pod.status = status
    store.touch(pod)
  }
  const waits = (pod: Held, reason: string, message = ''): void =>
    tell(pod, {
      phase: 'Pending',
      containerStatuses: [{ name: 'pilot', state: { waiting: { reason, ...(message && { message }) } } }],
    })

  /** A directory for each volume; undefined while something is missing. */
  function volumes(pod: Held): Map<string, string> | undefined {
    const at = mkdtempSync(join(directory, 'pod-'))
    const made = new Map<string, string>()
    const user = specOf(pod).securityContext.runAsUser ?? 65_534
    const write = (volume: string, name: string, text: string): void => {
      const file = join(at, volume, name)
      writeFileSync(file, Buffer.from(text, 'base64'), { mode: 0o440 })
      chownSync(file, 0, user)
    }
    try {
      for (const { name, secret, projected } of specOf(pod).volumes) {
        mkdirSync(join(at, name))
        chmodSync(join(at, name), 0o770)
        chownSync(join(at, name), 0, user)
        made.set(name, join(at, name))
        if (secret) {
          const data = store.get('secrets', secret.secretName).data as Record<string, string>
          for (const [key, text] of Object.entries(data)) write(name, key, text)
        }
        for (const { configMap } of projected?.sources ?? []) {
          const data = store.get('configmaps', configMap.name).binaryData as Record<string, string>
          for (const { key, path } of configMap.items ?? []) write(name, path, data[key]!)
        }
      }
      return made
    } catch {
      rmSync(at, { recursive: true, force: true })
      return undefined
    }
  }

  function start(pod: Held): void {
    const { uid } = pod.metadata
    const spec = specOf(pod)
    const [container] = spec.containers
    const { image, command, env, volumeMounts, resources } = container!
    if (Number(resources.requests.cpu) > CPUS)
      return void tell(pod, {
        phase: 'Pending',
        conditions: [
          {
            ...{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable' },
            message: '0/1 nodes are available: 1 Insufficient cpu.',
          },
        ],
      })
    if (!images.includes(image))
      return void waits(pod, 'ImagePullBackOff', `Back-off pulling image "${image}"`)
    const found = volumes(pod)
    if (!found) return void waits(pod, 'ContainerCreating')
    const mounts = volumeMounts.flatMap(({ name, mountPath }) => [found.get(name)!, mountPath])
    const user = String(spec.securityContext.runAsUser ?? 65_534)
    const words = ['--mount', '--propagation', 'private', 'sh', '-c', ENTER, 'sh']
    const given = [
      String(volumeMounts.length),
      user,
      ...mounts,
      ...env.map(({ name, value }) => `${name}=${value}`),
    ]
    const child = spawn('unshare', [...words, ...given, ...command], {
      ...{ cwd: '/', detached: true, stdio: ['ignore', 'pipe', 'pipe'] },
      env: { PATH: `${dirname(process.execPath)}:/usr/bin:/bin:/usr/sbin:/sbin` },
    })
    const at = dirname([...found.values()][0]!)
    running.set(uid, { child, directory: at, told: false })
    let log = ''
    for (const stream of [child.stdout!, child.stderr!])
      stream.on('data', (part) => {
        log = `${log}${part}`.slice(-LOG_MOST)
      })
    tell(pod, {
      phase: 'Running',
      startTime: new Date().toISOString(),
      containerStatuses: [{ state: { running: {} } }],
    })
    let late: string | undefined
    const deadline = setTimeout(
      () => {
        late = 'Pod was active on the node longer than the specified deadline'
        end(pod)
      },
      (spec.activeDeadlineSeconds ?? 1e6) * 1000,
    )
    child.once('close', (code, signal) => {
      clearTimeout(deadline)
      running.delete(uid)
      rmSync(at, { recursive: true, force: true })
      const exitCode = code ?? (signal === 'SIGKILL' ? 137 : 143)
      tell(pod, {
        phase: exitCode === 0 && !late ? 'Succeeded' : 'Failed',
        ...(late && { reason: 'DeadlineExceeded', message: late }),
        containerStatuses: [
          {
            state: {
              terminated: {
                ...{ exitCode, reason: exitCode === 0 ? 'Completed' : 'Error' },
                ...(exitCode !== 0 && log && { message: log }),
              },
            },
          },
        ],
      })
    })
  }

  /** Asks its processes to end, and ends them when their grace is over. */
  function end(pod: Held): void {
    const one = running.get(pod.metadata.uid)
    if (!one?.child.pid) return
    const seconds = Number(pod.graceSeconds ?? specOf(pod).terminationGracePeriodSeconds)
    if (!one.told) kill(one.child.pid, 'SIGTERM')
    one.told = true
    const { pid } = one.child
    setTimeout(() => running.has(pod.metadata.uid) && kill(-pid, 'SIGKILL'), seconds * 1000).unref()
  }

  return {
    /** Goes over all pods once. */
    look(): void {
      for (const pod of store.values('pods')) {
        const phase = (pod.status as { phase?: string } | undefined)?.phase ?? 'Pending'
        const runs = running.has(pod.metadata.uid)
        if (pod.metadata.deletionTimestamp && runs) end(pod)
        else if (!pod.metadata.deletionTimestamp && phase === 'Pending' && !runs) start(pod)
      }
    },
    runs: (pod: Held) => running.has(pod.metadata.uid),
    /** Ends the first process of a pod's container, as the kernel would. */
    kill(pod: Held): void {
      const pid = running.get(pod.metadata.uid)?.child.pid
      if (pid) kill(pid, 'SIGKILL')
    },
    stop(): void {
      for (const { child } of running.values()) if (child.pid) kill(-child.pid, 'SIGKILL')
    },
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It is gone already.
  }
}
