import { Type } from 'typebox'
import { actorOf, type Identity, type Principal } from '../../identity/index.ts'
import type { Clock, Wakeups } from '../../kernel/index.ts'
import { checkPath, type ProposalRow, type Software } from '../../software/index.ts'
import { awaited } from './awaited.ts'
import type { Operations } from './operation.ts'
import { Approval, Compared, Proposal } from './software-answers.ts'

const name = Type.String({ maxLength: 60 })
const Named = Type.Object({ name })
const Identified = Type.Object({ id: Type.String({ format: 'uuid' }) })
const base = '/kumi/v1/software'
const MOST = 500

/** What waits for somebody who approves it, and where that is demanded. */
export function registerProposals(
  door: Operations,
  software: Software,
  deps: { readonly clock: Clock; readonly wakeups: Wakeups; readonly identity: Pick<Identity, 'explain'> },
): void {
  /** A proposal, and what of it is up to whoever asks. */
  const seenBy = (principal: Principal, proposal: ProposalRow) => {
    const mine = proposal.account === actorOf(principal)
    const place = { vo: proposal.vo, path: `/${proposal.repository}${proposal.path}` }
    const may = !mine && deps.identity.explain(principal, 'software.approve', place).allow
    return { ...proposal, mine, mayDecide: may && proposal.state === 'proposed' }
  }
  registerDemands(door, software)
  registerDecisions(door, software, seenBy)
  const found = ({ vo }: Principal, id: string) => software.proposal(vo, id)
  door.get({
    url: `${base}/proposals`,
    action: 'software.read',
    summary: 'What waits for somebody who approves it, newest first; also what was decided, when asked for',
    schema: {
      querystring: Type.Object({ repository: Type.Optional(name), all: Type.Optional(Type.Boolean()) }),
    },
    answer: Type.Object({ proposals: Type.Array(Proposal) }),
    handler: async ({ principal, query }) => ({
      proposals: (
        await software.proposals(principal.vo, {
          ...{ repository: query.repository, all: query.all === true, limit: MOST },
        })
      ).map((one) => seenBy(principal, one)),
    }),
  })
  door.get({
    url: `${base}/proposals/:id`,
    action: 'software.read',
    summary: 'A proposal; with `wait`, as soon as it is decided or after so many seconds',
    schema: {
      params: Identified,
      querystring: Type.Object({ wait: Type.Optional(Type.Integer({ minimum: 0, maximum: 30 })) }),
    },
    answer: Proposal,
    async handler(request) {
      const { principal, params, query } = request
      const first = await found(principal, params.id)
      if (first.state !== 'proposed' || !query.wait) return seenBy(principal, first)
      const decided = await awaited(request, deps, {
        ...{ topics: ['software'], seconds: query.wait, restMs: 500 },
        async look() {
          const one = await found(principal, params.id)
          return one.state === 'proposed' ? undefined : one
        },
      })
      return seenBy(principal, decided ?? first)
    },
  })
  door.get({
    url: `${base}/proposals/:id/changes`,
    action: 'software.read',
    summary: 'What a proposal that waits would change',
    schema: { params: Identified },
    answer: Compared,
    handler: async ({ principal, params }) =>
      software.browser.compareProposal(await found(principal, params.id)),
  })
}

function registerDemands(door: Operations, software: Software): void {
  const change = ({ principal, params, body }: Asked, needed: boolean) =>
    software.setApproval(params.name, principal.vo, {
      ...{ path: checkPath(body.path ?? ''), needed, account: actorOf(principal) },
    })
  const common = {
    action: 'software.admin',
    schema: {
      params: Named,
      body: Type.Object({ path: Type.Optional(Type.String({ maxLength: 4096 })) }),
    },
    answer: Type.Object({ approvals: Type.Array(Approval) }),
  } as const
  door.put({
    ...common,
    url: `${base}/repositories/:name/approvals`,
    summary: 'From now on somebody else has to approve what is published below a path',
    handler: async (request) => ({ approvals: await change(request, true) }),
  })
  door.delete({
    ...common,
    url: `${base}/repositories/:name/approvals`,
    summary: 'Nobody has to approve any more what is published below a path',
    schema: {
      params: Named,
      querystring: Type.Object({ path: Type.Optional(Type.String({ maxLength: 4096 })) }),
    },
    handler: async ({ principal, params, query }) => ({
      approvals: await change({ principal, params, body: query }, false),
    }),
  })
}

interface Asked {
  readonly principal: Principal
  readonly params: { readonly name: string }
  readonly body: { readonly path?: string }
}

function registerDecisions(
  door: Operations,
  software: Software,
  seenBy: (
    principal: Principal,
    proposal: ProposalRow,
  ) => ProposalRow & { mine: boolean; mayDecide: boolean },
): void {
  /** Where it is about; who may do nothing anywhere does not learn whether there is such a proposal. */
  const placeOf = async ({ principal, params }: { principal: Principal; params: { id: string } }) => {
    const found = await software.findProposal(principal.vo, params.id)
    return { vo: principal.vo, path: found ? `/${found.repository}${found.path}` : '/' }
  }
  const by = ({ principal, params }: { principal: Principal; params: { id: string } }) => ({
    ...{ id: params.id, account: actorOf(principal) },
  })
  door.post({
    url: `${base}/proposals/:id/approve`,
    action: 'software.approve',
    summary: 'Does what somebody else proposed',
    schema: { params: Identified },
    resource: placeOf,
    answer: Proposal,
    handler: async (request) =>
      seenBy(request.principal, await software.approve(request.principal.vo, by(request))),
  })
  door.post({
    url: `${base}/proposals/:id/reject`,
    action: 'software.approve',
    summary: 'Turns down what somebody else proposed',
    schema: {
      params: Identified,
      body: Type.Object({ reason: Type.String({ minLength: 1, maxLength: 1000, pattern: '\\S' }) }),
    },
    resource: placeOf,
    answer: Proposal,
    handler: async (request) => {
      const reason = request.body.reason.trim()
      return seenBy(
        request.principal,
        await software.reject(request.principal.vo, { ...by(request), reason }),
      )
    },
  })
  door.post({
    url: `${base}/proposals/:id/withdraw`,
    action: 'software.publish',
    summary: 'Takes back what one proposed',
    schema: { params: Identified },
    resource: placeOf,
    answer: Proposal,
    handler: async (request) =>
      seenBy(request.principal, await software.withdraw(request.principal.vo, by(request))),
  })
}
