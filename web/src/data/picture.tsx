import { useQuery } from '@tanstack/react-query'
import { Panel } from '../common/acting.tsx'
import { Pending } from '../common/parts.tsx'
import { pictureQuery } from '../doors/pictures.ts'
import { useMessages } from '../language/index.tsx'

/** A file that is a picture, as it looks. As an image of data nothing in it can run. */
export function Picture({ scope, name }: { scope: string; name: string }) {
  const t = useMessages()
  const asked = useQuery(pictureQuery(scope, name))
  return (
    <Panel title={t.data.picture}>
      {asked.data ? (
        <img
          className="picture"
          src={`data:${asked.data.type};base64,${asked.data.content}`}
          alt={t.data.pictureOf(name)}
        />
      ) : (
        <Pending of={asked} />
      )}
    </Panel>
  )
}
