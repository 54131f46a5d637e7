import AjvCompiler from '@fastify/ajv-compiler'

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
    return (httpPart === 'body' ? body : text)(route)
  }
}
