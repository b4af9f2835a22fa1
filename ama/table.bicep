// A table of a workspace. machines.bicep deploys it into the resource group of the workspace, once for each table.

@description('The Log Analytics workspace, in this resource group.')
param workspaceName string

@description('Name of the table.')
param tableName string

@description('Columns of the table, as in columns.json.')
param columns array

@description('Plan of the table.')
@allowed(['Analytics', 'Basic', 'Auxiliary'])
param plan string = 'Analytics'

@description('Days for which queries of the Analytics plan see the rows; -1 for the retention of the workspace.')
param retentionInDays int = -1

@description('Days after which the rows are removed; -1 for as long as queries see them.')
param totalRetentionInDays int = -1

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' existing = {
  name: workspaceName
}

resource table 'Microsoft.OperationalInsights/workspaces/tables@2025-07-01' = {
  parent: workspace
  name: tableName
  properties: {
    plan: plan
    // Azure sets this property for the other plans.
    retentionInDays: plan == 'Analytics' ? retentionInDays : null
    totalRetentionInDays: totalRetentionInDays
    schema: {
      name: tableName
      columns: columns
    }
  }
}
