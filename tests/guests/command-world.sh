# The world of commands in other languages; sourced after `common.sh`.

# The directory of `wit/command.wit`, with the packages that it refers to.
command_world() {
    local world=$OUT/$NAME-wit
    rm -rf "$world"
    mkdir -p "$world/deps/cli"
    cp "$REPOSITORY/tests/guests/wit-command/command.wit" "$world"
    cp "$REPOSITORY/tests/guests/wit-command/cli.wit" "$world/deps/cli"
    local package
    for package in clocks filesystem io; do
        mkdir "$world/deps/$package"
        cp "$REPOSITORY/wit/deps/$package.wit" "$world/deps/$package"
    done
    echo "$world"
}
