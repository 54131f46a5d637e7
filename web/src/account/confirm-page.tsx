import { Button } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { DoorError } from '../doors/http.ts'
import { confirmAddress } from '../doors/joining.ts'
import { gridQuery } from '../doors/kumi.ts'
import { useMessages } from '../language/index.tsx'
import { Entrance } from '../login/entrance.tsx'

/** Where the link of the confirmation mail leads. Programs that look through mail open it too: only the button confirms. */
export function ConfirmPage() {
  const t = useMessages().joining
  const { token = '', vo: wanted } = useSearch({ from: '/confirm' })
  const { data: grid } = useQuery(gridQuery)
  const vo = wanted ?? grid?.vo ?? ''
  const confirm = useMutation({ mutationFn: () => confirmAddress(vo, token) })
  const used = confirm.error instanceof DoorError && confirm.error.status === 404
  return (
    <Entrance>
      <h1>{t.confirm.title}</h1>
      {confirm.data ? (
        <>
          <p role="status">
            {confirm.data.address
              ? t.confirm.added(confirm.data.username, confirm.data.address)
              : t.confirm.done(confirm.data.username)}
          </p>
          <Link to="/login" search={{}}>
            {t.register.toLogin}
          </Link>
        </>
      ) : (
        <>
          {confirm.error ? (
            <p className="error" role="alert">
              {used ? t.confirm.used : confirm.error.message}
            </p>
          ) : (
            <p>{t.confirm.intro(vo)}</p>
          )}
          <Button
            fullWidth
            onClick={() => confirm.mutate()}
            loading={confirm.isPending}
            disabled={used || !vo}
          >
            {t.confirm.submit}
          </Button>
        </>
      )}
    </Entrance>
  )
}
