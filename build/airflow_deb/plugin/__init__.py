"""`make plugin`: a team's package of operators or plugins as a Debian package.

Data flows one way:

    source      SOURCE= -> the file that is packaged or built: a wheel, sdist or tree
    metadata    a wheel -> what it is, what it needs, which files it brings
    neighbours  packages -> which files they have; what other plugins bring
    fit         does it agree with the lock, and stay off other's files?
    skeleton    all that -> a Debian source tree, but for what stdeb makes
    planning    looks all that up
    make        has it built

What its build uses inside the root is in build/plugin/, and debian/lib/.
"""
