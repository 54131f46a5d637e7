import AjvCompiler from '@fastify/ajv-compiler'

type Validator = ReturnType<ReturnType<AjvCompiler.BuildCompilerFromPool>>

/**
 * Paths and queries are text, so numbers and truth values are read from it. A body says itself what it means: there,
 * nothing must not become an empty text or a zero, nor `true` a one.
 */
export const buildValidator: AjvCompiler.BuildCompilerFromPool = (schemas) => {
  const build = AjvCompiler()
  const compiler = (coerceTypes: boolean) =>
    build(schemas, { customOptions: { coerceTypes, removeAdditional: false, useDefaults: true } })
  const [text, body] = [compiler(true), compiler(false)]
  return (route) => {
    const definition = route as unknown as AjvCompiler.RouteDefinition
    const compile = definition.httpPart === 'body' ? body : text
    return atFirstUse(() => compile({ ...definition, schema: bounded(definition.schema) } as never))
  }
}

/** An integer without a bound of its own is one that a number holds exactly: 1e300 is none that anybody counts with. */
function bounded(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(bounded)
  if (schema === null || typeof schema !== 'object') return schema
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, bounded(value)]))
  if (copy.type !== 'integer') return copy
  return { minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER, ...copy }
}

/** There are hundreds of routes: compiling what they take is an eighth of a server's start, and few are used soon. */
function atFirstUse(compile: () => Validator): Validator {
  let compiled: Validator | undefined
  const validate = (data: unknown) => {
    compiled ??= compile()
    const valid = compiled(data)
    // Where the framework looks for what is wrong.
    Object.assign(validate, { errors: compiled.errors })
    return valid
  }
  return validate as Validator
}
