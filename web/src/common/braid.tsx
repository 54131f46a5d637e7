/** Three strands, one cord. */
export function Braid({ size = 24 }: { size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 32 32"
      fill="none"
      strokeWidth="3.4"
      strokeLinecap="round"
      aria-hidden="true"
    >
      <path stroke="#0072b2" d="M9 3c0 6 14 7 14 13S9 23 9 29" />
      <path stroke="#e69f00" d="M23 3c0 6-14 7-14 13s14 7 14 13" />
      <path stroke="#009e73" d="M16 3v4.500M16 12.500v7M16 24.500V29" />
    </svg>
  )
}
