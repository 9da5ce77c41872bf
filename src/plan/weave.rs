//! Things that wait for each other: which of them stand in a circle, and in what order the others can come, many of
//! a kind at a time.
//!
//! Knows numbers alone. Invariant: nothing comes before what it waits for; the order is a function of the input.

use std::collections::BTreeMap;

/// From which to which, each once or oftener.
pub(super) type Edges = Vec<(u32, u32)>;

/// For each node the number of the strongly connected component that it is in (Tarjan, without recursion).
pub(super) fn components(nodes: usize, edges: &Edges) -> Vec<u32> {
    let out = Outgoing::of(nodes, edges);
    let (mut index, mut low) = (vec![u32::MAX; nodes], vec![0_u32; nodes]);
    let (mut component, mut stack) = (vec![u32::MAX; nodes], Vec::new());
    let (mut next_index, mut next_component) = (0_u32, 0_u32);
    for root in 0..nodes as u32 {
        if index[root as usize] != u32::MAX {
            continue;
        }
        let mut path: Vec<(u32, usize)> = Vec::new();
        let mut enter = Some(root);
        loop {
            if let Some(node) = enter.take() {
                (index[node as usize], low[node as usize]) = (next_index, next_index);
                next_index += 1;
                stack.push(node);
                path.push((node, 0));
            }
            let Some((node, at)) = path.last_mut() else { break };
            let node = *node;
            if let Some(next) = out.of_node(node).get(*at).copied() {
                *at += 1;
                if index[next as usize] == u32::MAX {
                    enter = Some(next);
                } else if component[next as usize] == u32::MAX {
                    low[node as usize] = low[node as usize].min(index[next as usize]);
                }
                continue;
            }
            path.pop();
            if let Some((above, _)) = path.last() {
                low[*above as usize] = low[*above as usize].min(low[node as usize]);
            }
            if low[node as usize] == index[node as usize] {
                while let Some(member) = stack.pop() {
                    component[member as usize] = next_component;
                    if member == node {
                        break;
                    }
                }
                next_component += 1;
            }
        }
    }
    component
}

/// The members of the components that have more than one, each ascending, by their first member.
pub(super) fn circles(component: &[u32]) -> Vec<Vec<u32>> {
    let mut members: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (node, component) in (0_u32..).zip(component) {
        members.entry(*component).or_default().push(node);
    }
    let mut circles: Vec<Vec<u32>> = members.into_values().filter(|members| members.len() > 1).collect();
    circles.sort_unstable();
    circles
}

struct Outgoing {
    starts: Vec<u32>,
    ends: Vec<u32>,
}

impl Outgoing {
    fn of(nodes: usize, edges: &Edges) -> Self {
        let mut starts = vec![0_u32; nodes + 1];
        edges.iter().for_each(|(from, _)| starts[*from as usize + 1] += 1);
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        let (mut at, mut ends) = (starts.clone(), vec![0_u32; edges.len()]);
        for (from, to) in edges {
            ends[at[*from as usize] as usize] = *to;
            at[*from as usize] += 1;
        }
        Outgoing { starts, ends }
    }

    fn of_node(&self, node: u32) -> &[u32] {
        &self.ends[self.starts[node as usize] as usize..self.starts[node as usize + 1] as usize]
    }
}

/// What can come now.
pub(super) enum Ready<K> {
    /// All that can of the first kind.
    Kind(K, Vec<u32>),
    /// Nothing of a kind can, but these, each for itself.
    Alone(Vec<u32>),
}

/// Has everything come that does not wait in a circle: of what can come, first all of the smallest kind. `come` says
/// how many of those that are alone it took, at least one.
pub(super) fn weave<K: Ord + Clone, E>(
    kinds: &[Option<K>],
    edges: &Edges,
    mut come: impl FnMut(Ready<K>) -> Result<usize, E>,
) -> Result<(), E> {
    let out = Outgoing::of(kinds.len(), edges);
    let mut waiting = vec![0_u32; kinds.len()];
    edges.iter().for_each(|(_, to)| waiting[*to as usize] += 1);
    let (mut ready, mut alone): (BTreeMap<K, Vec<u32>>, Vec<u32>) = (BTreeMap::new(), Vec::new());
    let mut free: Vec<u32> = (0..kinds.len() as u32).filter(|node| waiting[*node as usize] == 0).collect();
    loop {
        for node in free.drain(..) {
            match &kinds[node as usize] {
                Some(kind) => ready.entry(kind.clone()).or_default().push(node),
                None => alone.push(node),
            }
        }
        let came = match ready.pop_first() {
            Some((kind, mut nodes)) => {
                nodes.sort_unstable();
                come(Ready::Kind(kind, nodes.clone()))?;
                nodes
            }
            None if alone.is_empty() => return Ok(()),
            None => {
                alone.sort_unstable();
                let taken = come(Ready::Alone(alone.clone()))?.clamp(1, alone.len());
                alone.drain(..taken).collect()
            }
        };
        for node in came {
            for next in out.of_node(node) {
                waiting[*next as usize] -= 1;
                if waiting[*next as usize] == 0 {
                    free.push(*next);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_found_and_nothing_else() {
        let edges = vec![(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (5, 4), (6, 5), (5, 6), (7, 7)];
        assert_eq!(circles(&components(8, &edges)), [vec![0, 1, 2], vec![5, 6]]);
        let long: Edges = (0..100_000).map(|node| (node, (node + 1) % 100_000)).collect();
        assert_eq!(circles(&components(100_000, &long))[0].len(), 100_000);
    }

    #[test]
    fn what_can_come_comes_by_its_kind() {
        let kinds = [Some('b'), Some('a'), Some('a'), None, None];
        let mut came = Vec::new();
        let come = |ready: Ready<char>| {
            let taken = match ready {
                Ready::Kind(kind, nodes) => {
                    came.push(format!("{kind}{nodes:?}"));
                    0
                }
                Ready::Alone(nodes) => {
                    came.push(format!("{nodes:?}"));
                    1
                }
            };
            Ok::<usize, ()>(taken)
        };
        weave(&kinds, &vec![(0, 1), (4, 2)], come).expect("no error");
        assert_eq!(came, ["b[0]", "a[1]", "[3, 4]", "[4]", "a[2]"]);
    }
}
