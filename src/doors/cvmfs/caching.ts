/** What caches may keep of a repository; the same at the server and at gateways. */
/** Clients ask for the manifest at most every minute; a cache between may be one round behind. */
export const DOCUMENT_CACHE = 'public, max-age=61'
/** The name of an object is its content. */
export const OBJECT_CACHE = 'public, max-age=31536000, immutable'
export const MISSING_CACHE = 'public, max-age=10'
export const CONTENT_TYPE = 'application/x-cvmfs'
