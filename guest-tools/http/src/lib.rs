//! The http tool: sends a step's request, again if that can help, and gives back the
//! answer as data.

mod answer;
mod fields;
mod lines;
mod send;

use noetl_tool::Error;

use crate::answer::Answer;
use crate::fields::Fields;

#[noetl_tool::tool]
fn http(fields: Fields) -> Result<Answer, Error> {
    let request = fields.request()?;
    let response = send::until_it_is_answered(&request, &fields)?;
    answer::read(response, &fields)
}

#[cfg(test)]
mod tests;
