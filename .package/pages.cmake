# Writes the man pages and completions as the programs themselves give them, laid out as they are
# installed:   cmake -D SAGORDER=PROGRAM -D GATEWAY=PROGRAM -D DATE=YYYY-MM-DD -D INTO=DIR -P pages.cmake
#
#   INTO/man/man1, INTO/bash, INTO/zsh, INTO/fish, and for the package INTO/gz/man1
cmake_minimum_required(VERSION 3.25)

function(ask into program)
  execute_process(COMMAND ${program} ${ARGN} OUTPUT_VARIABLE said COMMAND_ERROR_IS_FATAL ANY)
  set(${into} "${said}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${INTO})

# Every page that sagorder(1) refers to.
ask(page ${SAGORDER} help --as man)
file(WRITE ${INTO}/man/man1/sagorder.1 "${page}")
string(REGEX MATCHALL "sagorder\\\\-[a-z\\\\-]+ \\(1\\)" names "${page}")
foreach(name ${names})
  string(REGEX REPLACE "sagorder\\\\-(.*) \\(1\\)" "\\1" command "${name}")
  string(REPLACE "\\" "" command "${command}")
  ask(page ${SAGORDER} help ${command} --as man)
  file(WRITE ${INTO}/man/man1/sagorder-${command}.1 "${page}")
endforeach()

ask(script ${SAGORDER} help --as bash)
file(WRITE ${INTO}/bash/sagorder "${script}")
ask(script ${SAGORDER} help --as zsh)
file(WRITE ${INTO}/zsh/_sagorder "${script}")
ask(script ${SAGORDER} help --as fish)
file(WRITE ${INTO}/fish/sagorder.fish "${script}")

# The gateway shares no code with the program; its page is its help as it stands.
ask(help ${GATEWAY} --help)
string(REPLACE "\\" "\\e" help "${help}")
string(REPLACE "-" "\\-" help "${help}")
string(REPLACE "\n." "\n\\&." help "${help}")
string(REPLACE "\n'" "\n\\&'" help "${help}")
string(REGEX REPLACE "\n\n+" "\n\n" help "${help}")
file(WRITE ${INTO}/man/man1/sagorder-gateway.1
  ".TH SAGORDER-GATEWAY 1 ${DATE} \"sagorder\" \"User Commands\"\n"
  ".SH NAME\nsagorder\\-gateway \\- a simulated gateway that executes orders on paper\n"
  ".SH DESCRIPTION\n.nf\n${help}.fi\n.SH SEE ALSO\n.BR sagorder (1)\n")

file(GLOB pages ${INTO}/man/man1/*.1)
file(MAKE_DIRECTORY ${INTO}/gz/man1)
foreach(page ${pages})
  get_filename_component(name ${page} NAME)
  execute_process(COMMAND gzip -9nc ${page} OUTPUT_FILE ${INTO}/gz/man1/${name}.gz
    COMMAND_ERROR_IS_FATAL ANY)
endforeach()
