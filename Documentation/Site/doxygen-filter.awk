# What Doxygen reads as documentation of frameshare.h: every comment. Each ruled heading begins a group.
/^\/\* ----------* .* \*\/$/ {
    title = $0
    gsub(/^\/\* -+ | \*\/$/, "", title)
    name = title
    gsub(/[^A-Za-z0-9]+/, "_", name)
    if (open) print "/** @} */"
    printf "/** @defgroup %s %s%s\n * @{ */\n", name, toupper(substr(title, 1, 1)), substr(title, 2)
    open = 1
    next
}
/^#ifdef __cplusplus/ && open { print "/** @} */"; open = 0 }
# The comment at the head of the file is the first page.
NR == 1 && /^\/\*$/ { print "/** @mainpage FrameShare, from C\n *\n * [All documents](../index.html)\n *"; next }
{ sub(/^ *\/\* /, "/** "); print }
