import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from 'react'
import { en, type Messages } from './en.ts'
import { ja } from './ja.ts'

const languages = { en, ja }
export type Language = keyof typeof languages

const KEY = 'kumi.language'
const initial = (): Language => {
  const kept = localStorage.getItem(KEY)
  if (kept === 'en' || kept === 'ja') return kept
  return navigator.language.startsWith('ja') ? 'ja' : 'en'
}

const Context = createContext<{ language: Language; t: Messages; choose: (language: Language) => void }>({
  language: 'en',
  t: en,
  choose: () => undefined,
})

export function LanguageProvider({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState<Language>(initial)
  useEffect(() => {
    document.documentElement.lang = language
  }, [language])
  const value = useMemo(
    () => ({
      language,
      t: languages[language],
      choose: (next: Language) => {
        localStorage.setItem(KEY, next)
        setLanguage(next)
      },
    }),
    [language],
  )
  return <Context value={value}>{children}</Context>
}

export const useLanguage = () => useContext(Context)
export const useMessages = () => useContext(Context).t
