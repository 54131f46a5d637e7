/** Whether a database takes it: PostgreSQL knows no NUL, and nothing of UTF-8 is half a character. */
export const isPlainText = (text: string): boolean => !text.includes('\0') && !/\p{Surrogate}/u.test(text)
