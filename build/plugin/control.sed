# stdeb's control file brought to what is built here.
s/debhelper (>= [0-9.~]*)/debhelper-compat (= 13)/
s/^Section: .*/Section: admin/
s/^Standards-Version: .*/Standards-Version: 4.7.2\nRules-Requires-Root: no/
# Its interpreter is that of the tree, which airflow-pythonX.Y stands for.
s/ \${python3:Depends},\?//
