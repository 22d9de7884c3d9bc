# SPDX-License-Identifier: Apache-2.0
"""A generator goes on: its frame is written, here its stack, which lies on another page than the frame's beginning.

To 3.10 the frame is an object of its own, later it is a part of the generator.
"""
import sys

from forked import cut_by_a_page, in_child


def wide():
    v0 = v1 = v2 = v3 = v4 = v5 = v6 = v7 = v8 = v9 = v10 = v11 = v12 = v13 = v14 = v15 = v16 = v17 = v18 = v19 = v20 = v21 = v22 = v23 = v24 = None
    v25 = v26 = v27 = v28 = v29 = v30 = v31 = v32 = v33 = v34 = v35 = v36 = v37 = v38 = v39 = v40 = v41 = v42 = v43 = v44 = v45 = v46 = v47 = v48 = v49 = None
    v50 = v51 = v52 = v53 = v54 = v55 = v56 = v57 = v58 = v59 = v60 = v61 = v62 = v63 = v64 = v65 = v66 = v67 = v68 = v69 = v70 = v71 = v72 = v73 = v74 = None
    v75 = v76 = v77 = v78 = v79 = v80 = v81 = v82 = v83 = v84 = v85 = v86 = v87 = v88 = v89 = v90 = v91 = v92 = v93 = v94 = v95 = v96 = v97 = v98 = v99 = None
    v100 = v101 = v102 = v103 = v104 = v105 = v106 = v107 = v108 = v109 = v110 = v111 = v112 = v113 = v114 = v115 = v116 = v117 = v118 = v119 = v120 = v121 = v122 = v123 = v124 = None
    v125 = v126 = v127 = v128 = v129 = v130 = v131 = v132 = v133 = v134 = v135 = v136 = v137 = v138 = v139 = v140 = v141 = v142 = v143 = v144 = v145 = v146 = v147 = v148 = v149 = None
    yield
    v149 = MARK
    yield v149


MARK = object()
GENERATORS = [wide() for _ in range(500)]


def advance():
    # expect: object=__main__.GENERATOR* type=generator field=refcount cause=refcount
    # expect: object=__main__.GENERATOR* type=generator|frame field="+*|local 'v149'|stack[*]" cause=value frame=any
    next(GENERATOR)


if __name__ == "__main__":
    for one in GENERATORS:
        next(one)
    if sys.version_info >= (3, 11):
        GENERATOR = cut_by_a_page(GENERATORS, 150 * 8)
    else:
        FRAME = cut_by_a_page([one.gi_frame for one in GENERATORS], 150 * 8)
        GENERATOR = next(one for one in GENERATORS if one.gi_frame is FRAME)
        del FRAME
    in_child(advance)
