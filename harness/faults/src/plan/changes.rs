//! Changes to a plan that is being carried out.

use scenario::Fault;

use super::{Armed, Due, FaultPlan};

impl FaultPlan {
    /// Adds a fault, at the place of one that was retired if one is given; its place.
    pub fn put(&mut self, retired: Option<usize>, fault: &Fault) -> usize {
        let armed = Armed::new(fault);
        match retired {
            Some(place) => {
                self.faults[place] = armed;
                place
            }
            None => {
                self.faults.push(armed);
                self.faults.len() - 1
            }
        }
    }

    /// Ends a fault if it is in force, and for good. What its end wants done comes with [`FaultPlan::take`];
    /// afterwards its place is free.
    pub fn retire(&mut self, place: usize) {
        self.end(place);
        self.due.retain(|Due::End(other)| *other != place);
        self.strikes.retain(|other| *other != place);
        for marked in self.marked.values_mut() {
            marked.retain(|other| *other != place);
        }
        let fault = &mut self.faults[place];
        fault.times = Some(0);
        fault.optional = true;
        fault.waits_for_write = false;
    }

    /// How often a fault has fired, and whether it is in force.
    pub fn standing(&self, place: usize) -> (u32, bool) {
        let fault = &self.faults[place];
        (fault.fired, fault.active)
    }
}
