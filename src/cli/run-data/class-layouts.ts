/**
 * The persistent layout of the classes a tree file is made of, as the format defines them: for each class its
 * version and checksum, for each member its kind, name, type code, size and, by kind,
 *   base: version and checksum of the base class, array: version, member and class holding its length, then type;
 *   others: the type's name.
 * Readers that do not know these classes by heart learn them from the record written from this table.
 */
export const classLayouts = `
TObject 1 2417737773
  basic fUniqueID 13 4 unsigned int
  basic fBits 15 4 unsigned int
TNamed 1 3753331260
  base TObject 66 0 1 2417737773
  string fName 65 24 TString
  string fTitle 65 24 TString
TCollection 3 1474546588
  base TObject 66 0 1 2417737773
  string fName 65 24 TString
  basic fSize 3 4 int
TSeqCollection 0 4234951622
  base TCollection 0 0 3 1474546588
TObjArray 3 2845730130
  base TSeqCollection 0 0 0 4234951622
  basic fLowerBound 3 4 int
  basic fLast 3 4 int
TList 5 1774568379
  base TSeqCollection 0 0 0 4234951622
TAttLine 2 2483504457
  basic fLineColor 2 2 short
  basic fLineStyle 2 2 short
  basic fLineWidth 2 2 short
TAttFill 2 4292422290
  basic fFillColor 2 2 short
  basic fFillStyle 2 2 short
TAttMarker 2 689802220
  basic fMarkerColor 2 2 short
  basic fMarkerStyle 2 2 short
  basic fMarkerSize 5 4 float
ROOT::TIOFeatures 1 446770960
  basic fIOBits 11 1 unsigned char
TLeaf 2 1830715730
  base TNamed 67 0 1 3753331260
  basic fLen 3 4 int
  basic fLenType 3 4 int
  basic fOffset 3 4 int
  basic fIsRange 18 1 bool
  basic fIsUnsigned 18 1 bool
  pointer fLeafCount 64 8 TLeaf*
TLeafF 1 987602290
  base TLeaf 0 0 2 1830715730
  basic fMinimum 5 4 float
  basic fMaximum 5 4 float
TLeafD 1 294553462
  base TLeaf 0 0 2 1830715730
  basic fMinimum 8 8 double
  basic fMaximum 8 8 double
TLeafI 1 2120920601
  base TLeaf 0 0 2 1830715730
  basic fMinimum 3 4 int
  basic fMaximum 3 4 int
TLeafL 1 3727820898
  base TLeaf 0 0 2 1830715730
  basic fMinimum 16 8 long long
  basic fMaximum 16 8 long long
TBranch 13 278366892
  base TNamed 67 0 1 3753331260
  base TAttFill 0 0 2 4292422290
  basic fCompress 3 4 int
  basic fBasketSize 3 4 int
  basic fEntryOffsetLen 3 4 int
  basic fWriteBasket 3 4 int
  basic fEntryNumber 16 8 long long
  any fIOFeatures 62 1 ROOT::TIOFeatures
  basic fOffset 3 4 int
  basic fMaxBaskets 6 4 int
  basic fSplitLevel 3 4 int
  basic fEntries 16 8 long long
  basic fFirstEntry 16 8 long long
  basic fTotBytes 16 8 long long
  basic fZipBytes 16 8 long long
  object fBranches 61 64 TObjArray
  object fLeaves 61 64 TObjArray
  object fBaskets 61 64 TObjArray
  array fBasketBytes 43 4 13 fMaxBaskets TBranch int*
  array fBasketEntry 56 8 13 fMaxBaskets TBranch long long*
  array fBasketSeek 56 8 13 fMaxBaskets TBranch long long*
  string fFileName 65 24 TString
TTree 20 1919213695
  base TNamed 67 0 1 3753331260
  base TAttLine 0 0 2 2483504457
  base TAttFill 0 0 2 4292422290
  base TAttMarker 0 0 2 689802220
  basic fEntries 16 8 long long
  basic fTotBytes 16 8 long long
  basic fZipBytes 16 8 long long
  basic fSavedBytes 16 8 long long
  basic fFlushedBytes 16 8 long long
  basic fWeight 8 8 double
  basic fTimerInterval 3 4 int
  basic fScanField 3 4 int
  basic fUpdate 3 4 int
  basic fDefaultEntryOffsetLen 3 4 int
  basic fNClusterRange 6 4 int
  basic fMaxEntries 16 8 long long
  basic fMaxEntryLoop 16 8 long long
  basic fMaxVirtualSize 16 8 long long
  basic fAutoSave 16 8 long long
  basic fAutoFlush 16 8 long long
  basic fEstimate 16 8 long long
  array fClusterRangeEnd 56 8 20 fNClusterRange TTree long long*
  array fClusterSize 56 8 20 fNClusterRange TTree long long*
  any fIOFeatures 62 1 ROOT::TIOFeatures
  object fBranches 61 64 TObjArray
  object fLeaves 61 64 TObjArray
  pointer fAliases 64 8 TList*
  any fIndexValues 62 24 TArrayD
  any fIndex 62 24 TArrayI
  pointer fTreeIndex 64 8 TVirtualIndex*
  pointer fFriends 64 8 TList*
  pointer fUserInfo 64 8 TList*
  pointer fBranchRef 64 8 TBranchRef*
`
