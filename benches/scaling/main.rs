//! How many keys move, how unevenly are nodes used, and what does it cost in hits when nodes of a pool come and go? Run
//! `cargo bench --bench scaling`.
//!
//! A simulation of clients with the four ways of placing keys, on pools of 3 to 1,000 nodes; it starts no server, takes no
//! options and prints the same each time. `docs/scaling.md` reads the figures.

mod keys;
#[path = "../load/mod.rs"]
#[allow(dead_code, reason = "shared by the bench targets; each uses a part")]
mod load;
mod placement;

use keys::{Keys, moved, nodes, placed};
use load::random::Random;
use placement::Method;

fn main() {
    let keys = Keys::new(KEYS, SEED);
    println!("{KEYS} keys, requests by Zipf's law; the most popular key is {:.1} % of them", 100.0 * keys.hottest());
    changes(&keys);
    evenness();
    fan_out();
}

/// What a node more and a node less move, and what that costs in hits.
fn changes(keys: &Keys) {
    println!("\nkeys that move, hit ratio of the first requests, requests per key until the hit ratio is 99 % again");
    println!(
        "{:<8}{:<12}{:>10}{:>8}{:>8}{:>12}{:>8}{:>8}",
        "nodes", "", "one more", "hits", "until", "one less", "hits", "until"
    );
    for count in COUNTS {
        let before_nodes = nodes(count, SEED);
        let more = nodes(count + 1, SEED);
        let mut less = before_nodes.clone();
        less.remove(count / 2);
        for method in Method::ALL {
            let before = placed(keys, method, &before_nodes);
            let cells: Vec<String> = [&more, &less]
                .iter()
                .map(|after| {
                    let moved = moved(&before, &placed(keys, method, after));
                    let share = moved.iter().filter(|&&is_moved| is_moved).count() as f64 / moved.len() as f64;
                    let course = keys.course(&moved, SEED);
                    format!("{:>8.1} %{:>6.1} %{:>8.2}", 100.0 * share, 100.0 * course.first, course.until_well)
                })
                .collect();
            println!("{count:<8}{:<12}{}", method.name(), cells.join("  "));
        }
    }
}

/// The fullest and the busiest node, as multiples of the mean: medians over several pools.
fn evenness() {
    println!("\nthe fullest node and the busiest node, the mean node being 1");
    println!("{:<8}{:<12}{:>8}{:>10}", "nodes", "", "keys", "requests");
    for count in COUNTS {
        for method in Method::ALL {
            let mut all: Vec<(f64, f64)> = (0..POOLS)
                .map(|pool| {
                    let keys = Keys::new(KEYS / POOLS as usize, SEED + pool);
                    let members = nodes(count, SEED + pool);
                    let evenness = keys.evenness(&placed(&keys, method, &members), &members);
                    (evenness.keys, evenness.requests)
                })
                .collect();
            let middle = all.len() / 2;
            all.sort_by(|one, other| one.0.total_cmp(&other.0));
            let fullest = all[middle].0;
            all.sort_by(|one, other| one.1.total_cmp(&other.1));
            println!("{count:<8}{:<12}{fullest:>8.2}{:>10.2}", method.name(), all[middle].1);
        }
    }
}

/// How many nodes one `get` of many keys asks, and how many of such `get`s each node sees.
fn fan_out() {
    println!("\nnodes asked by one get of many keys; the share of such gets that one given node sees");
    print!("{:<8}", "nodes");
    MANY.iter().for_each(|many| print!("{:>18}", format!("{many} keys")));
    println!();
    let mut random = Random::seeded(SEED);
    for count in COUNTS {
        print!("{count:<8}");
        for many in MANY {
            let asked: usize = (0..GETS)
                .map(|_| {
                    let mut asked = vec![false; count];
                    (0..many).for_each(|_| asked[random.below(count as u64) as usize] = true);
                    asked.into_iter().filter(|&is_asked| is_asked).count()
                })
                .sum();
            let mean = asked as f64 / GETS as f64;
            print!("{:>18}", format!("{mean:.1} ({:.1} %)", 100.0 * mean / count as f64));
        }
        println!();
    }
}

const KEYS: usize = 1_000_000;
const SEED: u64 = 17;
/// Nodes of the pools.
const COUNTS: [usize; 6] = [3, 10, 30, 100, 300, 1000];
/// Pools whose medians are told.
const POOLS: u64 = 5;
/// Keys of one `get`.
const MANY: [usize; 4] = [10, 50, 100, 500];
/// Such `get`s in the mean.
const GETS: usize = 2000;
