//! The one integration binary.

#[cfg(test)]
mod alarms;
#[cfg(test)]
mod alarms_plant;
mod config;
#[cfg(test)]
mod work_orders;
