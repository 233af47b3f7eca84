//! The uutils coreutils, command by command on both directories.

use crate::ground::{Ground, link, put};
use crate::guests::program;
use crate::trial::Trial as _;

/// The commands, in order. Exit codes and output are compared after each, trees after every few.
const SCRIPT: &str = "
ls -1 /data
ls -1aR /data
cat /data/poem /data/base/numbers
cat /data/missing
head -n 2 /data/poem
tail -n 3 /data/base/numbers
tail -c 20 /data/poem
wc /data/poem
wc -l /data/base/numbers /data/poem
sort -n /data/base/numbers
sort -r /data/poem -o /data/poem.sorted
cat /data/poem.sorted
uniq /data/base/numbers
cut -c 1-5 /data/poem
paste /data/poem /data/base/numbers
cksum /data/poem /data/base/numbers
mkdir /data/new
mkdir /data/new
mkdir -p /data/new/a/b/c /data/base/deep/x
mkdir /data/missing/x
touch /data/new/touched
touch -d 2001-02-03T04:05:06 /data/base/numbers
touch /data/missing/touched
cp /data/poem /data/new/poem
cp /data/missing /data/new/x
cp -r /data/base /data/new/base
cp /data/poem /data/base
cp -r /data/base /data/poem
ls -1R /data/new
mv /data/poem /data/poem2
mv /data/new/poem /data/base/numbers
mv /data/base /data/base2
mv /data/base2/deep /data/new
mv /data/missing /data/x
ls -1R /data
cat /data/base2/numbers
ln /data/poem2 /data/poem3
ln -s poem2 /data/soft
ln -s /data/poem2 /data/absolute
ln /data/poem2 /data/poem3
readlink /data/soft
readlink /data/link
cat /data/link-dir/numbers
cat /data/soft
link /data/poem2 /data/poem4
truncate -s 10 /data/poem4
cat /data/poem3
truncate -s +100 /data/base2/over
tee /data/emptied
split -l 5 /data/long /data/new/part-
ls -1 /data/new
cat /data/new/part-aa
tail -n 1 /data/new/part-at
tr a b
comm /data/poem2 /data/poem.sorted
rm /data/poem3
rm /data/missing
rm -f /data/missing
rm /data/new
rmdir /data/new
rmdir /data/new/a/b/c
rmdir /data/empty
rm -r /data/gone
ls -1 /data/gone
mkdir /data/gone
ls -1a /data/gone
rm -r /data/new /data/base2
unlink /data/poem4
unlink /data/emptied
test -e /data/poem2
test -d /data/poem2
test -s /data/long
ls -1aR /data
";

fn ground() -> Ground {
    Ground::new(|top, base| {
        put(top, "poem", "a skin\nand a skin below\nand below it\nthe onion\n");
        put(base, "poem", "masked\n");
        put(base, "base/numbers", "10\n9\n9\n100\n-1\n3\n");
        put(base, "base/deep/er/leaf", "leaf\n");
        put(top, "base/over", "over\n");
        put(base, "emptied", "full\n");
        put(base, "long", (0..100).map(|line| format!("line {line}\n")).collect::<String>());
        for number in 0..20 {
            put(if number % 2 == 0 { top } else { base }, &format!("gone/{}/{number}", number % 3), "x");
        }
        std::fs::create_dir(base.join("empty")).expect("a writable directory");
        link(top, "link", "poem");
        link(base, "link-dir", "base");
    })
}

#[test]
fn every_command_is_the_same_as_on_a_plain_directory() {
    let Some(program) = program("coreutils") else { return };
    let ground = ground();
    let commands: Vec<&str> = SCRIPT.lines().filter(|line| !line.is_empty()).collect();
    let mut failed = 0;
    for (at, command) in commands.iter().enumerate() {
        let said = ground.compare(&program, &command.split(' ').collect::<Vec<_>>());
        failed += usize::from(said.code != Some(0));
        if at % 10 == 9 {
            ground.assert_same_trees();
        }
    }
    ground.assert_same_trees();
    // Some commands are meant to fail, or need a feature that WASI lacks; most are not.
    assert!((10..=35).contains(&failed), "{failed} of {} commands failed", commands.len());
}
