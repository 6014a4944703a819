add_dependencies(${program} criterion-enumeration strategy-combinatorial)
