/** A place of the console itself; never another site. */
export const inside = (place: string) => (/^\/(?!\/)/.test(place) ? place : '/')
