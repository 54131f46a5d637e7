import { queryOptions } from '@tanstack/react-query'
import { getJson, segment } from './http.ts'

export const isPicture = (name: string): boolean => /\.(svg|png|jpe?g)$/i.test(name)

export const pictureQuery = (scope: string, name: string) =>
  queryOptions({
    queryKey: ['picture', scope, name],
    queryFn: ({ signal }) =>
      getJson<{ type: string; content: string }>(
        `/kumi/v1/files/${segment(scope)}/${segment(name)}/picture`,
        signal,
      ),
    // Files never change.
    staleTime: Number.POSITIVE_INFINITY,
  })
