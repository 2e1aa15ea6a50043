//! What the survey adds to the inventory about each host, for the computed groups that ask for it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::model::host::HostName;
use crate::model::host::PriorAdrms;
use crate::model::product::Product;

/// Members of `drifted`, `restart_owed`, `prior_adrms_*` and of `product_*` where nobody asserted it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surveyed {
    /// Some value is not as wanted.
    pub drifted: BTreeSet<HostName>,
    /// A restart is owed by the mark on the host.
    pub restart_owed: BTreeSet<HostName>,
    /// `Auto` where the evidence does not decide.
    pub prior_adrms: BTreeMap<HostName, PriorAdrms>,
    pub products: BTreeMap<HostName, Product>,
}
