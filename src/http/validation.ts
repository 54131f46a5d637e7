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
    const { httpPart } = route as unknown as AjvCompiler.RouteDefinition
    return atFirstUse(() => (httpPart === 'body' ? body : text)(route))
  }
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
