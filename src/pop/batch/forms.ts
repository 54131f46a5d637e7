import { badCluster } from './errors.ts'

/** What each key of a description must look like. */
export type Forms<Place> = Readonly<Record<keyof Place, (value: unknown) => boolean>>

/** What an order says of a place, where every key looks as it must. Throws bad_cluster, naming those that do not. */
export function readForms<Place>(given: unknown, forms: Forms<Place>): Place {
  const found = (typeof given === 'object' && given !== null ? given : {}) as Record<keyof Place, unknown>
  const keys = Object.keys(forms) as (keyof Place & string)[]
  const wrong = keys.filter((key) => !forms[key](found[key]))
  if (wrong.length > 0) throw badCluster(`The description of the cluster is not usable: ${wrong.join(', ')}.`)
  return found as unknown as Place
}

export const text = (form: RegExp) => (value: unknown) => typeof value === 'string' && form.test(value)
export const optional = (form: RegExp) => (value: unknown) => value === '' || text(form)(value)
export const whole = (least: number, most: number) => (value: unknown) =>
  Number.isInteger(value) && (value as number) >= least && (value as number) <= most
