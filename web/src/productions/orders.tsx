import { Button, Textarea } from '@mantine/core'
import { type FormEvent, useState } from 'react'
import { Asking, Failure, Step, useDo, useRights } from '../common/acting.tsx'
import {
  extendProduction,
  isAtWork,
  judgeProduction,
  orderProduction,
  type ProductionOrder,
  type ProductionShown,
} from '../doors/productions.ts'
import { useMessages } from '../language/index.tsx'

/** What the reader may do with a production in its present state. */
export function Orders({ of }: { of: ProductionShown }) {
  const t = useMessages()
  const { may } = useRights()
  const { name, life, validation, operation, failed, steps } = of
  const order = (what: ProductionOrder) => () => orderProduction(name, what)
  const atWork = isAtWork(life)
  const open = atWork || life === 'defined'
  const extensible = steps[0]?.kind === 'generate' && (life === 'active' || life === 'completed')
  const [judges, writes] = [may('production.validate'), may('production.write')]
  return (
    <div className="moves above">
      {judges && open && validation !== 'accepted' && (
        <Asking
          label={t.productions.accept}
          question={t.productions.sure.accept}
          danger={false}
          run={() => judgeProduction(name, true)}
        />
      )}
      {writes && life === 'defined' && validation === 'accepted' && (
        <Step label={t.productions.order.start} run={order('start')} />
      )}
      {writes && atWork && operation !== 'normal' && <Step label={t.productions.goOn} run={order('start')} />}
      {writes && atWork && failed > 0 && <Step label={t.productions.order.retry} run={order('retry')} />}
      {writes && atWork && operation === 'normal' && (
        <Asking
          label={t.productions.order.hold}
          question={t.productions.sure.hold}
          reason={t.productions.reason}
          danger={false}
          run={(reason) => orderProduction(name, 'hold', reason)}
        />
      )}
      {writes && extensible && <Extending name={name} />}
      {writes && life === 'active' && (
        <Asking
          label={t.productions.order.finish}
          question={t.productions.sure.finish}
          danger={false}
          run={order('finish')}
        />
      )}
      {judges && open && validation !== 'rejected' && (
        <Asking
          label={t.productions.reject}
          question={t.productions.sure.reject}
          reason={t.productions.reason}
          run={(reason) => judgeProduction(name, false, reason)}
        />
      )}
      {writes && open && (
        <Asking
          label={t.productions.order.cancel}
          question={t.productions.sure.cancel}
          run={order('cancel')}
        />
      )}
    </div>
  )
}

/** More events or more runs, written as in the definition. */
function Extending({ name }: { name: string }) {
  const t = useMessages()
  const [open, setOpen] = useState(false)
  const act = useDo(async (rows: string) => {
    const changed = await extendProduction(name, `cells:\n${rows}\n`)
    if (changed === 0) throw new Error(t.productions.extend.same)
  })
  if (!open)
    return (
      <Button size="xs" variant="default" onClick={() => setOpen(true)}>
        {t.productions.extend.label}
      </Button>
    )
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const rows = String(new FormData(event.currentTarget).get('cells') ?? '')
    act.mutate(rows, { onSuccess: () => setOpen(false) })
  }
  return (
    <form className="asking" aria-label={t.productions.extend.label} onSubmit={submit}>
      <Textarea
        name="cells"
        label={t.productions.extend.cells}
        description={t.productions.extend.hint}
        placeholder="- [26, 101-120, 50000]"
        required
        autosize
        minRows={2}
        maxRows={12}
        spellCheck={false}
        autoFocus
        styles={{ input: { fontFamily: 'ui-monospace, monospace' } }}
      />
      <span className="answers">
        <Button size="xs" type="submit" loading={act.isPending}>
          {t.productions.extend.label}
        </Button>
        <Button size="xs" variant="default" onClick={() => setOpen(false)}>
          {t.people.leave}
        </Button>
      </span>
      <Failure error={act.error} />
    </form>
  )
}
