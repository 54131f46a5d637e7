import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

export default defineConfig({
  plugins: [react()],
  base: '/',
  build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  server: {
    proxy: {
      '/rucio': 'http://localhost:7443',
      '/iam': 'http://localhost:7443',
      '/kumi': 'http://localhost:7443',
    },
  },
})
